/** Orders have an amount and no currency: the shop sells in this one. */
export const CURRENCY = 'EUR';
