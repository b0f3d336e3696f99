// schemathesis makes up requests from the OpenAPI documents that the server serves, right and wrong
// ones, and holds the replies against them: no server error, no undocumented shape.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { after, afterEach, before, beforeEach, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { get } from "./harness/backend.mjs";
import { launchBrowser, User } from "./harness/browser.mjs";
import { appID, secret, Server } from "./harness/server.mjs";

const program = fileURLToPath(new URL("../target/schemathesis/bin/schemathesis", import.meta.url));
const hooks = fileURLToPath(new URL("schemathesis/hooks.py", import.meta.url));
const skip = existsSync(program) ? false : "no schemathesis: scripts/venv.sh schemathesis";

/** Fewest requests of one action. */
const requestsMin = 100;

// Status 200 answers every refusal (Code says which), so that a refused request looks accepted;
// headers carry nothing of the API; and methods are the gateway's, with tests of their own.
const excluded = "negative_data_rejection,missing_required_header,unsupported_method";
const options = [
  ...["--max-examples", "20", "--phases", "examples,coverage,fuzzing", "--seed", "1"],
  ...["--exclude-checks", excluded, "--no-color"],
];

/** The counters of the gateway, by their names without prefix and suffix. */
async function counters(server) {
  const { text } = await get(`${server.adminOrigin}/metrics`);
  const found = text.matchAll(/^odeum_api_(\w+)_total (\d+)$/gm);
  return Object.fromEntries([...found].map(([, name, count]) => [name, Number(count)]));
}

/** The actions of the index, asked of a server that lives for the question. */
async function actionsServed() {
  const server = await Server.start();
  try {
    const { text } = await get(`${server.origin}/openapi.json`);
    return Object.keys(JSON.parse(text).paths).map((path) => path.replace("/?Action=", ""));
  } finally {
    await server.stop();
  }
}

describe("schemathesis", { skip }, async () => {
  const actions = skip ? [] : await actionsServed();
  let browser, server;

  before(async () => (browser = await launchBrowser()));
  after(() => browser?.close());
  // A server for each action, so that what the one before forbade is not forbidden: a user who
  // publishes a stream, and rules against the user's next login.
  beforeEach(async () => {
    const unlimited = actions.map((action) => `${action} = 100000`).join(", ");
    server = await Server.start({ app: `calls_per_second = { ${unlimited} }` });
    const user = await User.open(browser, server, { userID: "user" });
    assert.deepEqual(await user.login(), { ok: true });
    await user.publish("stream");
    for (const RuleType of [2, 3, 4]) {
      const who = { RoomId: "room", UserId: "user" };
      const rule = { RuleType, ...who, DisabledPrivilege: [1], EffectiveTime: 3600 };
      assert.equal((await server.backend.call("SetForbidUserRule", rule)).Code, 0);
    }
  });
  afterEach(async () => {
    await Promise.all(browser.contexts().map((context) => context.close()));
    await server?.stop();
  });

  for (const action of actions) {
    test(`${action} answers as its document says`, async () => {
      const earlier = await counters(server);
      const run = promisify(execFile)(
        program,
        ["run", `${server.origin}/openapi/${action}.json`, "--url", server.origin, ...options],
        {
          cwd: server.folder,
          env: {
            ...process.env,
            ODEUM_APP_ID: String(appID),
            ODEUM_SERVER_SECRET: secret,
            SCHEMATHESIS_HOOKS: hooks,
          },
        },
      );
      await run.catch(({ stdout, stderr }) => assert.fail(`${stdout}\n${stderr}`));
      const later = await counters(server);
      const grew = (name) => later[name] - earlier[name];
      assert.ok(grew("requests") >= requestsMin, `only ${grew("requests")} requests`);
      assert.ok(grew("succeeded") > 0, "no request was granted");
      assert.ok(grew("succeeded") < grew("requests"), "no request was refused");
      for (const name of ["failed_authentications", "failures"]) assert.equal(grew(name), 0, name);
    });
  }
});
