/** What a sweep of the journal has to reach: each way in which one is found, and a death in each of its writes. */
const found = [
  ...['trusted', 'there was no journal', 'the journal can not be read', 'a copy was not finished'],
  ...['the machine was restarted without a clean stop', 'the zone size was changed'],
  ...['the journal could not be written', 'the journal is damaged', 'no room for a new one'],
].map((why) => `found: ${why}`)

const writes = ['replace', 'append', 'writeHeader', 'sync', 'empty']

export const transitions: readonly string[] = [
  ...found,
  ...writes.flatMap((write) => ['process', 'power'].map((how) => `dies in ${write}: ${how}`)),
  ...['found: trusted after a clean end and a power cut', 'written anew because it grew'],
].sort()
