import test from 'node:test';
import assert from 'node:assert/strict';
import { cornerPlace } from '../../web/publisher/corner.js';

test('the camera lies at the lower right, inside the screen, in its own shape', () => {
  for (const screen of [
    { width: 1920, height: 1080 },
    { width: 800, height: 600 },
    { width: 1080, height: 1920 },
  ]) {
    for (const camera of [
      { width: 640, height: 360 },
      { width: 360, height: 640 },
    ]) {
      const { x, y, width, height } = cornerPlace(screen, camera);
      assert.ok(x > screen.width / 2 && y > screen.height / 2, `${x}, ${y}`);
      assert.ok(x + width < screen.width && y + height < screen.height);
      assert.ok(Math.abs(width / height - camera.width / camera.height) < 0.02);
      assert.ok(width * height < screen.width * screen.height * 0.1);
    }
  }
});
