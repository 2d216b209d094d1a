// The players of browsers, and of types, that Media Source Extensions do not serve: loaded where they are needed.

import { ClassicPlayer } from '../player/classic-player.js';
import { SrcPlayer } from '../player/src-player.js';

export class Fallbacks {
  /** @param {ConstructorParameters<typeof ClassicPlayer>} of */
  classic(...of) {
    return new ClassicPlayer(...of);
  }

  /** @param {ConstructorParameters<typeof SrcPlayer>} of */
  plain(...of) {
    return new SrcPlayer(...of);
  }
}
