// The try-it page of --dev: two people meet, and the backend's panel does what it says. With
// ODEUM_PICTURES set to a folder, pictures of the page are left there.

import assert from "node:assert/strict";
import { request } from "node:http";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { launchBrowser } from "./harness/browser.mjs";
import { Server } from "./harness/server.mjs";
import { until } from "./harness/until.mjs";

describe("the try-it page", () => {
  let browser, server, ada, grace;

  before(async () => {
    [browser, server] = await Promise.all([launchBrowser(), Server.startDev()]);
  });
  after(async () => {
    await browser?.close();
    await server?.stop();
  });

  /** Opens the page in a context of its own and joins. */
  async function join_as(name, viewport = { width: 1280, height: 860 }) {
    const context = await browser.newContext({ viewport });
    const page = await context.newPage();
    const faults = [];
    page.on("pageerror", (error) => faults.push(String(error)));
    page.on("console", (message) => message.type() === "error" && faults.push(message.text()));
    await page.goto(`${server.origin}/try?room=lobby&name=${name}`);
    await page.getByRole("button", { name: "Join" }).click();
    await page.locator('.tile[data-own="true"][data-live="true"]').waitFor({ timeout: 15_000 });
    return { page, faults };
  }
  const others = (page) => page.locator('.tile[data-own="false"]');
  const picture = async ({ page }, file, options = {}) => {
    const folder = process.env.ODEUM_PICTURES;
    if (folder) await page.screenshot({ path: join(folder, file), ...options });
  };
  /** Chooses an action of the panel, in its group. */
  async function prepare({ page }, group, action) {
    await page.getByRole("radio", { name: group, exact: true }).check();
    await page.getByRole("radio", { name: action, exact: true }).check();
  }
  /** Sends what the panel shows and returns the reply. */
  async function send({ page }) {
    await page.getByRole("button", { name: "Sign and send" }).click();
    await page
      .locator("#code")
      .getByText(/Code \d+/)
      .waitFor();
    await page.locator("#send:not([disabled])").waitFor();
    return JSON.parse(await page.locator("#reply").textContent());
  }

  test("two people who join a room see each other's moving pictures", async () => {
    ada = await join_as("Ada");
    grace = await join_as("Grace");
    for (const { page } of [ada, grace]) {
      await others(page).and(page.locator('[data-live="true"]')).waitFor({ timeout: 15_000 });
      const video = others(page).locator("video");
      const shown = () =>
        video.evaluate((is) => [is.videoWidth, is.getVideoPlaybackQuality().totalVideoFrames]);
      const [, before] = await shown();
      await until("the picture moves", async () => {
        const [width, frames] = await shown();
        return width > 0 && frames > before + 5;
      });
    }
    assert.match(await others(ada.page).locator(".who").textContent(), /Grace/);
  });

  test("quality numbers appear on the tiles and events in the log", async () => {
    await others(ada.page)
      .locator(".quality")
      .getByText(/fps · \d+ kbit\/s/)
      .waitFor({ timeout: 15_000 });
    const events = await ada.page.locator("#log .event").allTextContents();
    for (const event of [
      "roomStateChanged",
      "roomUserUpdate ADD",
      "roomStreamUpdate ADD",
      "playerStateUpdate PLAYING",
    ]) {
      assert.ok(events.includes(event), `${event} in ${events}`);
    }
  });

  test("the panel deletes the other's stream; the other stays and may publish again", async () => {
    const reply = await send(ada);
    assert.equal(reply.Code, 0, JSON.stringify(reply));
    assert.match(
      await ada.page.locator("#request").textContent(),
      /^GET \/\?Action=DeleteStream&.*SignatureVersion=2\.0/,
    );
    await others(ada.page).waitFor({ state: "detached" });
    await ada.page.getByText("Here without a stream: Grace").waitFor();
    await picture(ada, "deleted.png");
    await grace.page.getByText("Your stream was deleted").waitFor();
    await grace.page.getByRole("button", { name: "Publish again" }).click();
    await others(ada.page).and(ada.page.locator('[data-live="true"]')).waitFor({ timeout: 15_000 });
  });

  test("pictures for the documents", { skip: !process.env.ODEUM_PICTURES }, async () => {
    for (const { page } of [ada, grace]) {
      await page
        .locator(".quality")
        .getByText(/fps · [1-9]\d* kbit\/s/)
        .nth(1)
        .waitFor({ timeout: 15_000 });
    }
    await picture(ada, "try.png");
    await ada.page.emulateMedia({ colorScheme: "dark" });
    await picture(ada, "try-dark.png");
    await ada.page.emulateMedia({ colorScheme: "light" });
    await ada.page.setViewportSize({ width: 390, height: 844 });
    await picture(ada, "try-phone.png", { fullPage: true });
    for (const [group, action] of [
      ["Stream bans", "SetForbidStreamRule"],
      ["User bans", "SetForbidUserRule"],
    ]) {
      await prepare(ada, group, action);
      await picture(ada, `${action}-phone.png`, { fullPage: true });
    }
    await prepare(ada, "Room", "DeleteStream");
    await ada.page.setViewportSize({ width: 1280, height: 860 });
  });

  test("what one says the other sees among the events", async () => {
    const say = async (kind, values = []) => {
      await ada.page.getByRole("radio", { name: kind, exact: true }).check();
      const fields = ada.page.locator("#words input");
      for (const [index, value] of values.entries()) await fields.nth(index).fill(value);
      await ada.page.getByRole("button", { name: "Send", exact: true }).click();
      await ada.page.locator("#outcome").getByText("sent").waitFor();
    };
    const seen = (event, detail) =>
      grace.page
        .locator("#log li")
        .filter({ hasText: event })
        .filter({ hasText: detail })
        .first()
        .waitFor();
    await say("Broadcast", ["good evening"]);
    await seen("IMRecvBroadcastMessage", "Ada: good evening");
    await say("Barrage", ["bravo!"]);
    await seen("IMRecvBarrageMessage", "Ada: bravo!");
    await say("Command", ["look here"]);
    await seen("IMRecvCustomCommand", "Ada: look here");
    await say("Room info", ["topic", "theatre"]);
    await seen("roomExtraInfoUpdate", "topic = theatre · set by Ada");
    await say("Stream info", ["on stage"]);
    await seen("streamExtraInfoUpdate", "on stage");
  });

  test("the panel's messages reach both", async () => {
    for (const [action, event] of [
      ["SendBroadcastMessage", "IMRecvBroadcastMessage"],
      ["SendBarrageMessage", "IMRecvBarrageMessage"],
      ["SendCustomCommand", "IMRecvCustomCommand"],
    ]) {
      await prepare(ada, "Messages", action);
      await ada.page.locator("#fields input").last().fill(`by ${action}`);
      assert.equal((await send(ada)).Code, 0, action);
      const heard = grace.page.locator("#log li").filter({ hasText: event });
      await heard.filter({ hasText: `backend: by ${action}` }).waitFor();
    }
    await prepare(ada, "Room", "DeleteStream");
  });

  test("the panel cuts the other's picture and gives it back", async () => {
    const frames = () =>
      others(ada.page)
        .locator("video")
        .evaluate((video) => video.getVideoPlaybackQuality().totalVideoFrames);
    const quality = others(ada.page).locator(".quality");
    await prepare(ada, "Stream bans", "SetForbidStreamRule");
    await picture(ada, "rules.png");
    assert.equal((await send(ada)).Code, 0);
    assert.equal(await ada.page.locator("#message").textContent(), "success");
    // The numbers of a window in which nothing but sound came.
    await quality.getByText(/(^|· )0 fps · [1-9]\d* kbit\/s/).waitFor({ timeout: 15_000 });
    const before = await frames();
    await prepare(ada, "Stream bans", "DescribeForbidStreamRules");
    const [rule] = (await send(ada)).Data.ForbidStreamRuleList;
    assert.deepEqual([rule.DisableVideo, rule.DisableAudio], [1, 0]);
    await picture(ada, "rules-cut.png");
    assert.equal(await frames(), before, "no frame while it is cut");
    await prepare(ada, "Stream bans", "DelForbidStreamRule");
    assert.equal((await send(ada)).Code, 0);
    await until("the picture moves again", async () => (await frames()) > before + 5);
  });

  test("the panel forbids the other's stream until it is resumed", async () => {
    const streamID = await others(ada.page).getAttribute("data-stream");
    await prepare(ada, "Stream bans", "ForbidRTCStream");
    assert.equal((await send(ada)).Code, 0);
    await others(ada.page).waitFor({ state: "detached" });
    const again = grace.page.getByRole("button", { name: "Publish again" });
    await grace.page.getByText("Your stream was forbidden").waitFor();
    await again.click();
    await grace.page.getByText(/Not published: .*forbidden \(1003025\)/).waitFor();
    await picture(grace, "forbidden.png");
    for (const [action, code] of [
      ["DescribeRTCStreamState", 41006],
      ["ResumeRTCStream", 0],
    ]) {
      await prepare(ada, "Stream bans", action);
      await ada.page.locator('#fields [name="StreamId"]').fill(streamID);
      assert.equal((await send(ada)).Code, code, action);
      await ada.page.locator("#code").getByText(`Code ${code}`, { exact: true }).waitFor();
    }
    await again.click();
    await others(ada.page).and(ada.page.locator('[data-live="true"]')).waitFor({ timeout: 15_000 });
  });

  test("the panel forbids and resumes several streams at once", async () => {
    const shown = await others(ada.page).getAttribute("data-stream");
    for (const action of ["ForbidRTCStreams", "ResumeRTCStreams"]) {
      await prepare(ada, "Stream bans", action);
      const field = ada.page.locator('#fields [name="StreamId"]');
      if (action === "ForbidRTCStreams") assert.equal(await field.inputValue(), shown);
      await field.fill(`${shown}, nobodys-stream`);
      assert.equal((await send(ada)).Code, 0, action);
      const [, path] = (await ada.page.locator("#request").textContent()).split(" ");
      const { searchParams } = new URL(path, server.origin);
      assert.deepEqual(searchParams.getAll("StreamId[]"), [shown, "nobodys-stream"]);
      if (action === "ForbidRTCStreams") await others(ada.page).waitFor({ state: "detached" });
    }
    await grace.page.getByRole("button", { name: "Publish again" }).click();
    await others(ada.page).and(ada.page.locator('[data-live="true"]')).waitFor({ timeout: 15_000 });
  });

  test("the panel's user rule refuses the next publication of the other", async () => {
    const field = (name) => ada.page.locator(`#fields [name="${name}"]`);
    await prepare(ada, "User bans", "SetForbidUserRule");
    assert.equal(await field("IP").isVisible(), false);
    await field("RuleType").selectOption("1");
    assert.equal(await field("UserId").isVisible(), false);
    assert.equal(await field("IP").isVisible(), true);
    await field("RuleType").selectOption("4");
    await field("DisabledPrivilege").selectOption("2");
    await picture(ada, "user-rules.png");
    assert.equal((await send(ada)).Code, 0);
    await prepare(ada, "User bans", "DescribeForbidUserRules");
    await field("RuleType").selectOption("4");
    const { RuleList } = (await send(ada)).Data;
    assert.equal(RuleList[0].UserId, await others(ada.page).getAttribute("data-user"));
    assert.deepEqual(RuleList[0].DisabledPrivilegeList, [2]);
    const user = RuleList[0].UserId;
    await prepare(ada, "Room", "DeleteStream");
    assert.equal((await send(ada)).Code, 0);
    await grace.page.getByRole("button", { name: "Publish again" }).click();
    await grace.page.getByText(/Not published: .*\(1003025\)/).waitFor();
    await prepare(ada, "User bans", "DelForbidUserRule");
    await field("RuleType").selectOption("4");
    await field("UserId").fill(user);
    assert.equal((await send(ada)).Code, 0);
    await grace.page.getByRole("button", { name: "Publish again" }).click();
    await others(ada.page).and(ada.page.locator('[data-live="true"]')).waitFor({ timeout: 15_000 });
  });

  test("a command to somebody who is not there is refused", async () => {
    await ada.page.getByRole("radio", { name: "Command", exact: true }).check();
    await ada.page.locator("#words input").nth(1).fill("nobody");
    await ada.page.getByRole("button", { name: "Send", exact: true }).click();
    await ada.page.locator("#outcome").getByText("refused (1009010)").waitFor();
  });

  test("a stream that the server adds shows up without media", async () => {
    await prepare(ada, "Room", "AddStream");
    assert.equal((await send(ada)).Code, 0);
    const added = grace.page.locator('.tile[data-user="backend"]');
    await added.getByText(/without media/).waitFor();
  });

  test("whoever is kicked is told why, and may join again", async () => {
    await prepare(ada, "Room", "KickoutUser");
    assert.equal((await send(ada)).Code, 0);
    await grace.page
      .getByRole("alert")
      .getByText(/taken out of lobby: that is enough \(1002055\)/)
      .waitFor();
    await picture(grace, "kicked.png");
    await grace.page.getByRole("button", { name: "Join" }).click();
    await grace.page
      .locator('.tile[data-own="true"][data-live="true"]')
      .waitFor({ timeout: 15_000 });
  });

  test("CloseRoom sends everybody back to the door", async () => {
    await prepare(ada, "Room", "CloseRoom");
    await ada.page.getByRole("button", { name: "Sign and send" }).click();
    for (const { page } of [ada, grace])
      await page
        .getByRole("alert")
        .getByText(/good night/)
        .waitFor();
  });

  test("the page fits a phone", async () => {
    const phone = await join_as("Hedy", { width: 360, height: 740 });
    const [wide, view] = await phone.page.evaluate(() => [
      document.documentElement.scrollWidth,
      innerWidth,
    ]);
    assert.ok(wide <= view, `${wide} px in ${view} px`);
    assert.deepEqual(phone.faults, []);
    await phone.page.getByRole("button", { name: "Leave" }).click();
    await phone.page.getByRole("button", { name: "Join" }).waitFor();
  });

  test("nothing went wrong on the pages meanwhile", () => {
    assert.deepEqual(ada.faults, []);
    assert.deepEqual(grace.faults, []);
  });

  test("only this machine may use it, under its own name", async () => {
    const statusFor = (path, headers) =>
      new Promise((resolve, reject) => {
        const call = request(`${server.origin}${path}`, { headers }, (response) => {
          response.resume();
          resolve(response.statusCode);
        });
        call.on("error", reject);
        call.end();
      });
    for (const path of ["/try", "/try/session?room=r&user=u"]) {
      assert.equal(await statusFor(path, { Host: "evil.example" }), 403);
      assert.equal(await statusFor(path, { Origin: "https://evil.example" }), 403);
      assert.equal(await statusFor(path, {}), 200);
    }
  });
});
