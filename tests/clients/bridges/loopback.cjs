// supergateway listens on every address of the machine and has no option for it: here, on loopback alone.
const net = require("node:net");
const listen = net.Server.prototype.listen;
net.Server.prototype.listen = function (port, ...rest) {
  return typeof port === "number" ? listen.call(this, { port, host: "127.0.0.1" }, ...rest) : listen.call(this, port, ...rest);
};
