// Elements for the shadow root: a page may allow no markup by script.

/**
 * @template {HTMLElement} T
 * @param {T} element
 * @param {Record<string, string>} attributes
 * @param {(Node | string)[]} children
 * @returns {T}
 */
export function make(element, attributes, ...children) {
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}
