"use strict";
// A second reader of salespipeline rulebooks, without dependencies. In a service:
//   const decision = decide(rulebook, "proposal", "won", {record: {...}, move: {role: "boss"}});
// On the command line it checks itself: node rulebook.js rulebook.json vectors.json [...]
const {readFileSync} = require("node:fs");

const isObject = (value) => value !== null && typeof value === "object" && !Array.isArray(value);
const has = (place, name) => isObject(place) && Object.hasOwn(place, name);
const sign = (x, y) => (x < y ? -1 : x > y ? 1 : 0); // the order of two values

// Values of each kind in a form to compare; undefined where the value is of another kind.

function number(value) {
  if (Number.isSafeInteger(value)) return {digits: BigInt(value), places: 0};
  if (typeof value !== "string" || !/^-?(0|[1-9][0-9]{0,99})(\.[0-9]{1,99})?$/.test(value)) return undefined;
  return {digits: BigInt(value.replace(".", "")), places: (value.split(".")[1] ?? "").length};
}

function money(value) {
  if (!has(value, "currency") || !has(value, "minor") || Object.keys(value).length !== 2) return undefined;
  const minor = number(value.minor);
  const whole = minor && minor.digits % 10n ** BigInt(minor.places) === 0n;
  return whole && /^[A-Z]{3}$/.test(value.currency) ? {currency: value.currency, minor} : undefined;
}

function date(value) {
  if (typeof value !== "string" || !/^[0-9]{4}-[0-9]{2}-[0-9]{2}$/.test(value)) return undefined;
  const day = new Date(`${value}T00:00:00Z`);
  const real = !Number.isNaN(day.getTime()) && day.toISOString().startsWith(value) && value >= "0001";
  return real ? value : undefined;
}

function instant(value) { // microseconds since 1970
  const form = /^([0-9-]{10})T((?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9])(?:\.([0-9]{1,6}))?Z$/;
  const parts = typeof value === "string" ? form.exec(value) : null;
  if (!parts || date(parts[1]) === undefined) return undefined;
  return BigInt(Date.parse(`${parts[1]}T${parts[2]}Z`)) * 1000n + BigInt((parts[3] ?? "").padEnd(6, "0"));
}

const texts = (value) =>
  Array.isArray(value) && value.every((each) => typeof each === "string") ? value : undefined;
const ofType = (type) => (value) => (typeof value === type ? value : undefined);
const READ = {text: ofType("string"), flag: ofType("boolean"), number, money, date, instant, texts};

function compareNumbers(x, y) {
  const places = Math.max(x.places, y.places);
  const scaled = (each) => each.digits * 10n ** BigInt(places - each.places);
  return sign(scaled(x), scaled(y));
}

function compareTexts(x, y) { // by code points, not by UTF-16 units
  const [xs, ys] = [x, y].map((text) => Array.from(text, (each) => each.codePointAt(0)));
  const n = xs.findIndex((each, place) => each !== ys[place]);
  return n < 0 ? sign(xs.length, ys.length) : sign(xs[n], ys[n] ?? -1);
}

const compareMoney = (x, y) => (x.currency === y.currency ? compareNumbers(x.minor, y.minor) : null);
const COMPARE = {
  text: compareTexts, flag: sign, number: compareNumbers, date: sign, instant: sign, money: compareMoney,
};
const SAYS = {
  equals: (n) => n === 0, not_equals: (n) => n !== 0, less: (n) => n < 0, at_most: (n) => n <= 0,
  more: (n) => n > 0, at_least: (n) => n >= 0,
};

// Conditions: an answer is true, false, or null for unknown.

function find(path, facts) {
  const names = path.split(".");
  const root = ["record", "move", "context"].includes(names[0]) ? names.shift() : "record";
  let place = facts[root];
  for (const name of names) place = has(place, name) ? place[name] : null;
  return place ?? null;
}

function answer({op, ...test}, actual, facts) {
  if (op === "present" || op === "absent") return (actual !== null) === (op === "present");
  const kind = test.kind ?? (op === "contains" || op === "lacks" ? "texts" : "instant");
  const value = READ[kind](actual);
  if (value === undefined) return null;
  if (kind === "texts") return value.includes(test.value) === (op === "contains");
  if (op === "elapsed" || op === "not_elapsed") {
    const at = instant(facts.move.at);
    return at === undefined ? null : (at - value >= BigInt(test.seconds) * 1000000n) === (op === "elapsed");
  }
  const order = (constant) => COMPARE[kind](value, READ[kind](constant));
  if ("values" in test) return test.values.some((each) => order(each) === 0) === (op === "in");
  return order(test.value) === null ? null : SAYS[op](order(test.value));
}

function code(test, said) {
  if (said === null) return "missing_field";
  if (test.field === "approvals" && test.op === "contains") return "approval_needed";
  if (test.field === "move.role") return "role_needed";
  return {present: "missing_field", elapsed: "too_soon", not_elapsed: "too_late"}[test.op] ?? "not_met";
}

function judge(condition, facts) { // {answer, raised, against: the tests not met or not known}
  const {op, name, field} = condition;
  const failed = {code: "failed", field: name, actual: null, expected: condition};
  if (op === "named") return {answer: null, raised: true, against: [failed]}; // only Python can ask it
  if (op === "all" || op === "any") {
    const parts = condition.conditions.map((each) => judge(each, facts));
    const [answers, decisive] = [parts.map((each) => each.answer), op === "any"];
    const said = answers.includes(decisive) ? decisive : answers.includes(null) ? null : !decisive;
    const raised = said === null && parts.some((each) => each.raised);
    return {answer: said, raised, against: said ? [] : parts.flatMap((each) => each.against)};
  }
  const actual = find(field, facts);
  const said = answer(condition, actual, facts);
  const denial = {code: code(condition, said), field, actual, expected: condition};
  return {answer: said, raised: false, against: said ? [] : [denial]};
}

// Moves: what stands before one, which rules bear on it, and what is decided.

function obstacle(book, from, to) {
  const [first, last] = [book.states.indexOf(from), book.states.indexOf(to)];
  if (last < 0 || (from !== null && first < 0)) return "unknown_state";
  if (from === null) return book.creation.includes(to) ? null : "not_a_creation_state";
  if (from === to) return "already_there";
  if (book.final.includes(from)) return "final";
  if (book.course === "free") return null;
  const listed = book.moves.some(([source, target]) => source === from && target === to);
  if (book.course === "explicit") return listed ? null : "no_such_move";
  if (last < first) return "backward";
  return last - first === 1 || book.skips ? null : "skip";
}

function bears(rule, book, from, to) {
  const bound = (side, state) => side === "any" || side.includes(state);
  if (!bound(rule.from, from) || !bound(rule.to, to)) return false;
  if (rule.way === "any") return true;
  if (from === null) return false;
  const rank = (state) => book.states.indexOf(state);
  const between = (state) => rank(from) < rank(state) && rank(state) < rank(to);
  if (rule.way === "skip") return (rule.to === "any" ? book.states : rule.to).some(between);
  return rule.way === "forward" ? rank(from) < rank(to) : rank(to) < rank(from);
}

function unmet(book, from, to, facts) { // for each rule that is not met, {raised, denials}
  const known = {...facts, move: {...facts.move, from, to}};
  return book.rules.filter((rule) => bears(rule, book, from, to)).flatMap((rule) => {
    const {answer: said, raised, against} = judge(rule.condition, known);
    const forbidden = {code: "forbidden", field: "target", actual: to, expected: rule.condition};
    const denials = (against.length > 0 ? against : [forbidden]).map((each) => ({...each, rule: rule.name}));
    return said ? [] : [{raised, denials}];
  });
}

/** What a rulebook says of a move; `from` is null for a creation. */
function decide(book, from, to, {record = {}, move = {}, context = {}} = {}) {
  const facts = {record, move, context};
  const against = obstacle(book, from, to);
  const gone = ["unknown_state", "no_such_move"].includes(against);
  const rules = gone || against === "already_there" ? [] : unmet(book, from, to, facts);
  if (against === null && rules.length === 0) return {result: "allowed", denials: [], alternatives: []};
  const possible = book.states.filter((state) => obstacle(book, from, state) === null);
  const alternatives = possible.filter((state) => unmet(book, from, state, facts).length === 0);
  const own = {code: against, rule: book.name, field: "target", actual: to, expected: alternatives};
  const strange = [["source", from], ["target", to]]
    .filter(([part, state]) => !book.states.includes(state) && !(part === "source" && state === null))
    .map(([field, actual]) => ({...own, field, actual, expected: book.states}));
  const structural = strange.length > 0 ? strange : against === null ? [] : [own];
  const failed = against === null && rules.every((each) => each.raised);
  const denials = [...structural, ...rules.flatMap((each) => each.denials)];
  return {result: gone ? "no_such_move" : failed ? "failed" : "denied", denials, alternatives};
}

// Checking: level 1 is the result, level 2 who denies what, level 3 all that is told.

function canonical(value) { // one text for equal values
  const ordered = (each) => Object.fromEntries(Object.entries(each).sort(([x], [y]) => sign(x, y)));
  return JSON.stringify(value, (_, each) => (isObject(each) ? ordered(each) : each));
}

function level(said, expected) { // the first level at which they differ; 0 where they agree
  const names = ({denials}) => canonical(denials.map((each) => [each.code, each.rule, each.field]).sort());
  if (said.result !== expected.result) return 1;
  if (names(said) !== names(expected)) return 2;
  const pick = (each, wanted) => Object.fromEntries(Object.keys(wanted).map((name) => [name, each[name]]));
  const denials = expected.denials.map((each, n) => pick(said.denials[n], each));
  return canonical({...pick(said, expected), denials}) === canonical(expected) ? 0 : 3;
}

function main(paths) {
  const files = paths.map((path) => JSON.parse(readFileSync(path, "utf8")));
  let [count, wrong] = [0, 0];
  for (let n = 0; n + 1 < files.length; n += 2)
    files[n + 1].vectors.forEach(({from, to, facts, expected}, place) => {
      const differs = level(decide(files[n], from, to, facts), expected);
      if (differs) console.log(`${paths[n + 1]}: vectors[${place}]: differs at level ${differs}`);
      [count, wrong] = [count + 1, wrong + (differs ? 1 : 0)];
    });
  console.log(`${count} vectors, ${wrong} differ`);
  return wrong > 0 || count === 0 ? 1 : 0;
}

module.exports = {decide};
if (require.main === module) process.exitCode = main(process.argv.slice(2));
