// The viewer page's script where Media Source Extensions play: their player needs no request of its own.

import '../player/mse-player.js';
import './watch.js';
