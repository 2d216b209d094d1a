// Where the camera's picture lies on the screen's: at the lower right, with a rim. Pure but for
// `drawCorner`, which draws it.

/** @typedef {{ width: number, height: number }} Size */

/** Of the screen's width: large enough for a face, small enough for what lies below. */
const SHARE = 0.22;
/** Of the screen's height, for a camera that stands upright. */
const HEIGHT_MOST = 0.4;
const MARGIN = 0.02;

/**
 * The place of a camera's picture on a screen's, in whole pixels.
 *
 * @param {Size} screen
 * @param {Size} camera
 */
export function cornerPlace(screen, camera) {
  const scale = Math.min((screen.width * SHARE) / camera.width, (screen.height * HEIGHT_MOST) / camera.height);
  const [width, height] = [Math.round(camera.width * scale), Math.round(camera.height * scale)];
  const margin = Math.round(screen.width * MARGIN);
  return { x: screen.width - width - margin, y: screen.height - height - margin, width, height };
}

/**
 * Both pictures on one canvas of the screen's size; `camera` null: the screen alone.
 *
 * @param {CanvasRenderingContext2D | OffscreenCanvasRenderingContext2D} context
 * @param {Size & { image: CanvasImageSource }} screen
 * @param {(Size & { image: CanvasImageSource }) | null} camera
 */
export function drawCorner(context, screen, camera) {
  const { canvas } = context;
  if (canvas.width !== screen.width) canvas.width = screen.width;
  if (canvas.height !== screen.height) canvas.height = screen.height;
  context.drawImage(screen.image, 0, 0, screen.width, screen.height);
  if (!camera?.width) return;
  const { x, y, width, height } = cornerPlace(screen, camera);
  const rim = Math.max(2, Math.round(screen.width / 640));
  context.fillStyle = '#f4efe6';
  context.fillRect(x - rim, y - rim, width + 2 * rim, height + 2 * rim);
  context.drawImage(camera.image, x, y, width, height);
}
