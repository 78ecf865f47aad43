/** What a sweep of replication has to reach: every rule that it takes from the product, with every outcome. */

const changes = [
  ...['alone: made', 'alone in the last round: kept', 'live: made', 'live and full: kept'],
  ...['held: kept', 'held and full: kept', 'refused: refused'],
].map((what) => `change while ${what}`)

const modes = [
  ...[
    'alone + live: live',
    'alone + lost: alone',
    'alone + detached: alone',
    'alone + refused: refused',
  ],
  ...[
    'live + lost: held',
    'held + lost: held',
    'held + detached: alone',
    'held + refused: refused',
  ],
]

const openings = [
  ...['trusted', 'there was no journal', 'the machine was restarted without a clean stop'],
  ...['a copy was not finished', 'the journal could not be written'],
].map((what) => `journal opened: ${what}`)

const scopes = [
  'full: a full copy was ordered',
  "all: the primary's journal can't be used",
  "all: the secondary's journal can't be used",
  'all: the two journals do not start from the same state',
  'keys: both journals tell what may differ',
].map((what) => `scope ${what}`)

const ops = ['becomesLive', 'applies'].map((what) => `op of the server: ${what}`)

export const transitions: readonly string[] = [
  ...[...changes, ...modes, ...openings, ...scopes, ...ops],
  ...['dies between two steps: plane', 'dies between two steps: power', 'the follower fails'],
  ...['changes of others are found', 'changes of others are found before the first own one'],
  ...['names of a directory are compared', 'the clock went back'],
  ...['last round with changes', 'last round without changes', 'window closes'],
].sort()
