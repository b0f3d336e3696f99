// The calls that the backend's panel of the try-it page can make, in groups, with their fields.

/**
 * What the page knows when fields are filled in.
 * @typedef {object} Here
 * @property {() => string} stream the stream to act on: somebody else's, or one's own.
 * @property {() => string | undefined} otherUser somebody else.
 * @property {() => string} ownUser oneself.
 * @property {() => string} suffix letters that make a name new.
 */

const streamField = ["StreamId", { list: "streams", value: (here) => here.stream() }];
const streamsField = ["StreamId", { ...streamField[1], many: true }];
const userField = (name) => [
  name,
  { list: "users", value: (here) => here.otherUser() ?? here.ownUser() },
];
const backendField = (name) => [name, { value: () => "backend" }];
const cutOrNot = [
  ["1", "1 · cut"],
  ["0", "0 · leave"],
];
const seconds = ["EffectiveTime", { label: "EffectiveTime (s)", value: () => "60" }];

/** Grows with each call, as the media service asks for. */
const sequence = ["Sequence", { computed: () => String(Date.now()) }];

const ruleType = [
  "RuleType",
  {
    choices: [
      ["3", "3 · a user, in every room"],
      ["4", "4 · a user, in this room"],
      ["2", "2 · everybody in this room"],
      ["1", "1 · an address"],
    ],
  },
];
const ruleUser = ["UserId", { ...userField("UserId")[1], when: ["RuleType", ["3", "4"]] }];
const ruleAddress = ["IP", { value: () => "127.0.0.1", when: ["RuleType", ["1"]] }];

/**
 * Fields of each action, by group. A field has a `list` or `choices` to choose from, a `value` that
 * stands in it at first, and may be `optional`, several values (`many`), there only `when` another
 * field has one of some values, as narrow as `half` a line, or `computed` and not shown at all.
 * RoomId is sent with every call.
 */
export const actionGroups = {
  Room: {
    DeleteStream: [streamField, backendField("UserId")],
    AddStream: [
      ["StreamId", { value: (here) => `added-${here.suffix()}` }],
      backendField("UserId"),
      ["StreamTitle", { value: () => "From the server", optional: true }],
    ],
    KickoutUser: [
      ["UserId", { ...userField("UserId")[1], many: true }],
      ["CustomReason", { value: () => "that is enough", optional: true }],
    ],
    CloseRoom: [["CustomReason", { value: () => "good night", optional: true }]],
  },
  Messages: {
    SendBroadcastMessage: [
      backendField("UserId"),
      ["MessageCategory", { value: () => "1" }],
      ["MessageContent", { value: () => "the play begins" }],
    ],
    SendBarrageMessage: [
      backendField("UserId"),
      ["MessageCategory", { value: () => "2" }],
      ["MessageContent", { value: () => "applause" }],
    ],
    SendCustomCommand: [
      backendField("FromUserId"),
      [
        "ToUserId",
        { list: "users", value: (here) => here.otherUser() ?? "", optional: true, many: true },
      ],
      ["MessageContent", { value: () => "lights down" }],
    ],
  },
  "Stream bans": {
    SetForbidStreamRule: [
      streamField,
      ["DisableVideo", { choices: cutOrNot, half: true }],
      ["DisableAudio", { choices: cutOrNot.toReversed(), half: true }],
      seconds,
    ],
    DelForbidStreamRule: [streamField],
    DescribeForbidStreamRules: [streamsField],
    ForbidRTCStream: [streamField, sequence],
    ForbidRTCStreams: [streamsField, sequence],
    ResumeRTCStream: [streamField, sequence],
    ResumeRTCStreams: [streamsField, sequence],
    DescribeRTCStreamState: [streamField, sequence],
  },
  "User bans": {
    SetForbidUserRule: [
      ruleType,
      ruleUser,
      ruleAddress,
      [
        "DisabledPrivilege",
        {
          choices: [
            ["1", "1 · log in"],
            ["2", "2 · publish"],
            ["1 2", "1 and 2 · both"],
          ],
          many: true,
          half: true,
        },
      ],
      [seconds[0], { ...seconds[1], half: true }],
    ],
    DelForbidUserRule: [ruleType, ruleUser, ruleAddress],
    DescribeForbidUserRules: [ruleType],
  },
};
