// A relay on ws, with its defaults, of the kind that people glue together: the publisher's first
// message, where the init segment is, is kept and given to newcomers; then they get what is live.
//
//   node server.mjs PORT

import { WebSocketServer } from "ws";

// What a slow viewer may be behind before it misses messages: ws itself queues without bound.
const WAITING_BYTES_MAX = 1024 * 1024;

const viewers = new Set();
let first = null;

const server = new WebSocketServer({
  host: "127.0.0.1",
  port: Number(process.argv[2]),
  // By default it agrees to whatever subprotocol a viewer offers.
  handleProtocols: () => false,
});

server.on("connection", (socket, request) => {
  // Connections break; what follows is a close.
  socket.on("error", () => {});
  if (request.url.startsWith("/publish")) {
    socket.on("message", publish);
    socket.on("close", () => {
      first = null;
    });
    return;
  }
  viewers.add(socket);
  socket.on("close", () => viewers.delete(socket));
  if (first) {
    socket.send(first);
  }
});

function publish(message, isBinary) {
  if (!isBinary) {
    return;
  }
  first ??= message;
  for (const viewer of viewers) {
    if (viewer.bufferedAmount < WAITING_BYTES_MAX) {
      viewer.send(message);
    }
  }
}
