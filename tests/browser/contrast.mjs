// Contrast of words that lie over a picture, as it is painted.

/**
 * The words in `#stage` that can be seen, each with its contrast (WCAG 2.2, 1.4.3) against the pixel
 * behind them where that is least: gradients, shadows and the picture itself count as they are.
 */
export async function contrasts(tab) {
  const before = await tab.evaluate(measure, null);
  await tab.evaluate(fillWords, 'transparent');
  const png = await tab.page.screenshot();
  await tab.evaluate(fillWords, '');
  const found = await tab.evaluate(measure, Buffer.from(png).toString('base64'));
  // Words that came or went meanwhile may not be in the picture.
  const said = (all) => all.map(({ words }) => words).join('\n');
  return said(before) === said(found) ? found : [];
}

function fillWords(color) {
  for (const element of document.getElementById('stage').querySelectorAll('*')) {
    element.style.setProperty('transition', color && 'none');
    element.style.setProperty('-webkit-text-fill-color', color);
  }
}

/** Without a picture only the words, with a contrast of 0. */
async function measure(png) {
  const bytes = Uint8Array.from(atob(png ?? ''), (character) => character.charCodeAt(0));
  const bitmap = png ? await createImageBitmap(new Blob([bytes], { type: 'image/png' })) : new OffscreenCanvas(1, 1);
  const context = new OffscreenCanvas(bitmap.width, bitmap.height).getContext('2d', { willReadFrequently: true });
  context.drawImage(bitmap, 0, 0);
  const scale = bitmap.width / innerWidth;
  const luminance = (color) => {
    const [red, green, blue] = color.map((value) => {
      const part = value / 255;
      return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
  };
  const one = new OffscreenCanvas(1, 1).getContext('2d', { willReadFrequently: true });
  /** Any CSS colour over an opaque one, as the browser paints it. */
  const over = ([red, green, blue], color) => {
    for (const style of [`rgb(${red} ${green} ${blue})`, color]) {
      one.fillStyle = style;
      one.fillRect(0, 0, 1, 1);
    }
    return [...one.getImageData(0, 0, 1, 1).data.subarray(0, 3)];
  };

  const found = [];
  for (const element of document.getElementById('stage').querySelectorAll('*')) {
    const isSeen = element.checkVisibility({ opacityProperty: true, visibilityProperty: true });
    const words = [...element.childNodes].filter((node) => node.nodeType === Node.TEXT_NODE && node.data.trim());
    if (!isSeen || words.length === 0) continue;
    const { color } = getComputedStyle(element);
    const range = document.createRange();
    let least = Infinity;
    for (const node of words) {
      range.selectNodeContents(node);
      const { x, y, width, height } = range.getBoundingClientRect();
      if (width < 1 || height < 1) continue;
      if (!png) {
        least = 0;
        continue;
      }
      const { data } = context.getImageData(x * scale, y * scale, Math.ceil(width * scale), Math.ceil(height * scale));
      for (let at = 0; at < data.length; at += 4 * 7) {
        const ground = [...data.subarray(at, at + 3)];
        const [darker, lighter] = [luminance(ground), luminance(over(ground, color))].toSorted((a, b) => a - b);
        least = Math.min(least, (lighter + 0.05) / (darker + 0.05));
      }
    }
    if (least < Infinity) found.push({ words: element.textContent.trim().slice(0, 40), contrast: least });
  }
  return found;
}
