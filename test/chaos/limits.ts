/** Longer than the house lets anybody wait (BORROW_WAIT_SECONDS, 15), with the database's own timeouts. */
export const ANSWER_SECONDS_MAX = 25
/** A wish that has no final answer after this is a broken promise. */
export const ASK_SECONDS_MAX = 60
/** From the last disturbance to rest: 15 s in the queue, 15 s for an answer, 7 s for the cabinet to check itself. */
export const REST_SECONDS_MAX = 60
/** For a step to be met by the traffic that is sent for it. */
export const STEP_SECONDS_MAX = 20
