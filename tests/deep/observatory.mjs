// Scores a site by MDN HTTP Observatory's own package. Its host is not asked of DNS: connections to the usual ports go to
// ports of this machine.
//
// node observatory.mjs FOLDER HOST HTTP_PORT HTTPS_PORT     FOLDER has the package in its node_modules
import { createRequire } from "node:module";
import net from "node:net";
import path from "node:path";
import { pathToFileURL } from "node:url";

const [folder, host, httpPort, httpsPort] = process.argv.slice(2);
const ports = { 80: Number(httpPort), 443: Number(httpsPort) };
const connect = net.Socket.prototype.connect;
net.Socket.prototype.connect = function (...given) {
  const options = Array.isArray(given[0]) ? given[0][0] : given[0];
  if (options?.host !== host) throw new Error(`The Observatory wants to talk to ${options?.host}`);
  Object.assign(options, { host: "127.0.0.1", port: ports[options.port] });
  return connect.apply(this, given);
};

const entry = createRequire(path.join(folder, "package.json")).resolve("@mdn/mdn-http-observatory");
const { scan } = await import(pathToFileURL(entry));
const { scan: summary, tests } = await scan(host);
const results = Object.fromEntries(Object.entries(tests).map(([name, test]) => [name, [test.result, test.scoreModifier]]));
console.log(JSON.stringify({ grade: summary.grade, score: summary.score, failed: summary.testsFailed, results }));
