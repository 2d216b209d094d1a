// Copies text, on plain http as well, where pages have no clipboard.

/**
 * Whether it is copied. `near`: the button that had the focus; what lies outside an open dialog cannot
 * be selected.
 *
 * @param {string} text
 * @param {HTMLElement} near
 */
export async function copied(text, near) {
  const isWritten = navigator.clipboard?.writeText(text).then(
    () => true,
    () => false,
  );
  if (await isWritten) return true;
  const field = document.createElement('textarea');
  field.className = 'unseen';
  field.value = text;
  (near.closest('dialog') ?? document.body).append(field);
  field.select();
  const isDone = document.execCommand('copy');
  field.remove();
  near.focus();
  return isDone;
}

const SAID_MS = 2000;

/**
 * A button that copies, and says so for a while, with what `more` resolves to.
 *
 * @param {HTMLElement} button
 * @param {() => string} text
 * @param {() => Promise<string>} [more]
 */
export function copiesOnClick(button, text, more) {
  const label = button.textContent;
  button.addEventListener('click', async () => {
    const isCopied = await copied(text(), button);
    button.textContent = isCopied ? 'Copied' : 'Copy failed';
    const added = isCopied && (await more?.());
    if (added) button.textContent = `Copied. ${added}`;
    setTimeout(() => {
      button.textContent = label;
    }, SAID_MS);
  });
}
