/** An error that Redis answered with, as opposed to one of the way to it. */
export const isReplyError = (error: unknown): error is Error => error instanceof Error && error.name === 'ReplyError';

/** Redis puts the error's code first. */
export const errorWord = ({ message }: Error): string => message.split(' ', 1)[0] ?? '';
