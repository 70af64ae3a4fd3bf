// Texts and tokens: bytes of UTF-8 for models of text, names for models of a synthetic language ("k3 v5. s1 r2 o7.").

/** Tokens of a text and the pieces that a reader sees: {tokens, pieces: [{text, tokens}]}. Throws for an unknown name. */
export function encode(text, words) {
  const pieces = [],
    encoder = new TextEncoder();
  if (words) {
    for (const match of text.matchAll(/[^\s.]+/g)) {
      const token = words.indexOf(match[0]);
      if (token < 0)
        throw new Error(`“${match[0]}” is no word of this language; its words are ${words[0]} to ${words.at(-1)}`);
      pieces.push({ text: match[0] + " ", tokens: [token] });
    }
  } else for (const character of text) pieces.push({ text: character, tokens: [...encoder.encode(character)] });
  return { pieces, tokens: pieces.flatMap((piece) => piece.tokens) };
}

/** Loss of each piece from the losses of the tokens (which begin with the second token); null for the first piece. */
export function perPiece(pieces, losses) {
  let at = -1;
  return pieces.map((piece, i) => {
    let sum = 0;
    for (let n = 0; n < piece.tokens.length; n++, at++) if (at >= 0) sum += losses[at];
    return i ? sum : null;
  });
}

/** Nats a token (a byte) of the pieces whose loss is known: a character may be several. */
export function perToken(pieces, losses) {
  const known = pieces.map((_, i) => i).filter((i) => losses[i] != null);
  const total = (of) => known.map(of).reduce((a, b) => a + b, 0);
  return total((i) => losses[i]) / total((i) => pieces[i].tokens.length);
}

/** What a table calls a piece: what leaves no ink has a sign or its number. */
export const seen = (text) =>
  ({ "\n": "↵", " ": "␣" })[text] ??
  (/[\p{L}\p{N}\p{P}\p{S}]/u.test(text) ? text : `U+${text.codePointAt(0).toString(16).toUpperCase().padStart(4, "0")}`);

/** Indices of the pieces of each word: letters, digits and underscores that stand together; anything else is alone. */
export function wordsOf(pieces) {
  const found = [],
    inWord = pieces.map(({ text }) => /^[\p{L}\p{N}_]$/u.test(text));
  pieces.forEach((_, n) => (inWord[n] && inWord[n - 1] ? found.at(-1).push(n) : found.push([n])));
  return found;
}

/** A text cut after each sentence or line; joined again they are the text. */
export const sentences = (text) => text.match(/[^]*?(?:[.!?](?=\s)\s*|\n+|$)/g).filter((part) => part);

/** A colour between paper and ink for a loss in nats: what cost nothing is clear, what cost `top` or more is full. */
export const shade = (loss, top = 6) =>
  `rgb(var(--live-ink) / ${((Math.min(Math.max(loss ?? 0, 0), top) / top) * 0.6).toFixed(3)})`;
