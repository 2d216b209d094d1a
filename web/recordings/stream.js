// The page of one stream's recordings.

import { nameFromPath } from '../lib/stream-name.js';
import { showRecordings } from './list.js';

showRecordings(nameFromPath(location.pathname));
