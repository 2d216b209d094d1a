// The viewer page's script where WebCodecs play by themselves: their player needs no request of its own.

import '../player/codecs/codecs-player.js';
import './watch.js';
