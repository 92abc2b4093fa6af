import { oneOf } from '../field.ts'

/** How a hole and its bank are (docs/protocol.md 5.5). Only a normal one may be rented. */
export const holeState = oneOf({
  empty: 0x00,
  normal: 0x01,
  charging_abnormal: 0x02,
  communication_error: 0x03,
  stuck: 0x04,
  forcibly_released: 0x05,
  solenoid_not_returned: 0x06,
  anti_theft_failed: 0x08,
  type_c_short: 0x09,
  return_failed: 0x0a,
})

/**
 * What came of a movement (5.5, 0x31 and 0x21); 0xFB–0xFE in 0x31 only. Old firmware means by 0x11 that the serial
 * number could not be read, and says 0x02–0x08, 0x13–0x14 and 0x21–0x24.
 */
export const popupState = oneOf({
  failed: 0x00,
  ejected: 0x01,
  charging_abnormal: 0x02,
  no_communication: 0x03,
  cannot_pop: 0x04,
  forced: 0x05,
  solenoid: 0x06,
  anti_theft: 0x08,
  serial_timeout: 0x11,
  still_readable: 0x12,
  no_traceback: 0x13,
  lock_failed: 0x14,
  sn_not_read_motor_failed: 0x21,
  still_readable_motor_failed: 0x22,
  no_traceback_motor_failed: 0x23,
  anti_theft_switch: 0x24,
  no_timestamp: 0x87,
  ttl_exceeded: 0x88,
  no_suitable_bank: 0xfb,
  sn_not_found: 0xfc,
  queue_full: 0xfd,
  previous_rental_unfinished: 0xfe,
  not_parsed: 0xff,
})

/** What came of a return (5.5, 0x40 and 0x28); 0x02, 0x03 and 0x06 in old firmware only. */
export const returnState = oneOf({
  failed: 0x00,
  returned: 0x01,
  switch_without_communication: 0x02,
  communication_without_switch: 0x03,
  motor_not_home: 0x06,
  area_code_error: 0x10,
  sn_not_read: 0x11,
  measures_not_read: 0x12,
  versions_not_read: 0x13,
  lock_failed: 0x14,
  sn_not_read_motor_failed: 0x21,
  measures_not_read_motor_failed: 0x22,
  versions_not_read_motor_failed: 0x23,
  anti_theft_switch_failed: 0x24,
})
