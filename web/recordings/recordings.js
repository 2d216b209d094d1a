// The page of all recordings.

import { showRecordings } from './list.js';

showRecordings(null);
