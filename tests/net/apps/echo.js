// Sends back what is posted: `serve`, or ADDRESS FILE, which prints hashes of three echoes: two by
// an agent that keeps its connection, one without.
"use strict";
const crypto = require("node:crypto");
const fs = require("node:fs");
const http = require("node:http");

const PORT = 8000;

function serve() {
        http.createServer((request, response) => request.pipe(response)).listen(PORT);
}

function echo(address, data, agent) {
        return new Promise((resolve, reject) => {
                const request = http.request({host: address, port: PORT, method: "POST", agent},
                                             (response) => {
                        const hash = crypto.createHash("sha256");
                        response.on("data", (chunk) => hash.update(chunk));
                        response.on("end", () => resolve(hash.digest("hex")));
                });
                request.on("error", reject);
                request.end(data);
        });
}

async function main(address, path) {
        const data = fs.readFileSync(path);
        const agent = new http.Agent({keepAlive: true, maxSockets: 1});
        for (const each of [agent, agent, false])
                console.log(await echo(address, data, each));
        agent.destroy();
}

if (process.argv[2] === "serve")
        serve();
else
        main(process.argv[2], process.argv[3]);
