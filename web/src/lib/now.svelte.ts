/** The time, which passes: what says how long ago things were follows it. */
class Now {
  value = $state(Date.now());

  constructor() {
    setInterval(() => (this.value = Date.now()), 20_000);
  }
}

export const now = new Now();
