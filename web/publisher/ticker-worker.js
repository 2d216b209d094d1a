// The timer of ticker.js: told an interval in milliseconds, posts a message each time.

onmessage = ({ data: everyMs }) => setInterval(() => postMessage(0), everyMs);
