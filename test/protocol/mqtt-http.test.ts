import { expect, test } from 'vitest'
import {
  answer,
  connectAnswer,
  isSigned,
  isUuid,
  readConnect,
  readConnectAnswer,
  readReturn,
  readUpload,
  readVersions,
  sign,
  signed,
  topicOf,
  topics,
} from '../../protocol/cabinet-mqtt/index.ts'
import { MalformedBody } from '../../protocol/errors.ts'

const uuid = '860602069165357'
const published = { deviceId: '0', simMobile: '', simUUID: '89860427092281034392', uuid }

test('a signature is the published one, whatever the order of the parameters', () => {
  expect(sign(Object.entries(published))).toBe('ff46bf468563a48b068d198158a21835')
  expect(sign(Object.entries(published).toReversed())).toBe('ff46bf468563a48b068d198158a21835')
  const upload = 'signal=CSQ%3A31&rentboxSN=864601069946994&sign=4f8f934042c84159cbfe360ed2c90d89'
  expect(isSigned(new URLSearchParams(upload))).toBe(true)
})

test('a signature that is wrong, missing, twice or of other parameters is none', () => {
  const good = signed(published)
  expect(isSigned(new URLSearchParams(good.toString()))).toBe(true)
  const changed = (change: (query: URLSearchParams) => void) => {
    const query = new URLSearchParams(good)
    change(query)
    return isSigned(query)
  }
  expect(changed((query) => query.delete('sign'))).toBe(false)
  expect(changed((query) => query.set('sign', ''))).toBe(false)
  expect(changed((query) => query.set('sign', 'ff46bf468563a48b068d198158a21836'))).toBe(false)
  expect(changed((query) => query.set('sign', good.get('sign')!.toUpperCase()))).toBe(false)
  expect(changed((query) => query.append('sign', good.get('sign')!))).toBe(false)
  expect(changed((query) => query.set('uuid', '860602069165358'))).toBe(false)
  expect(changed((query) => query.delete('simMobile'))).toBe(false)
  expect(changed((query) => query.append('io', '0'))).toBe(false)
})

test('a cabinet has three topics, and no other topic is anybody’s', () => {
  expect(topics(uuid)).toEqual({
    get: `/powerbank/${uuid}/user/get`,
    update: `/powerbank/${uuid}/user/update`,
    heart: `/powerbank/${uuid}/user/heart`,
  })
  for (const [channel, topic] of Object.entries(topics(uuid))) expect(topicOf(topic)).toEqual({ uuid, channel })
  const foreign = [
    ...['', '/', '#', '+', `powerbank/${uuid}/user/get`, `/powerbank/${uuid}/user/`, `/powerbank/${uuid}/user/get/`],
    ...[
      `/powerbank/${uuid}/user/+`,
      `/powerbank/${uuid}/user/#`,
      '/powerbank/+/user/get',
      `/powerbank/${uuid}1/user/get`,
    ],
    ...[`/powerbank/${uuid.slice(1)}/user/get`, `/powerbank/${uuid}/user/get\n`, `//powerbank/${uuid}/user/get`],
    ...[`$share/x/powerbank/${uuid}/user/get`, `/powerbank/${uuid}/admin/get`, '/powerbank/٨٦٠٦٠٢٠٦٩١٦٥٣٥٧/user/get'],
  ]
  for (const topic of foreign) expect(topicOf(topic), topic).toBeNull()
  for (const wrong of [
    '',
    '+',
    '#',
    '86060206916535',
    '8606020691653570',
    '86060206916535a',
    ` ${uuid}`,
    `${uuid}\n`,
  ]) {
    expect(isUuid(wrong)).toBe(false)
    expect(() => topics(wrong)).toThrow(RangeError)
  }
})

test('a connect says who asks; what may be empty may be missing', () => {
  const connect = { uuid, deviceId: '0', iccid: '89860427092281034392', mobile: '' }
  expect(readConnect(signed(published))).toEqual(connect)
  expect(readConnect(new URLSearchParams({ uuid, deviceId: '0' }))).toEqual({ ...connect, iccid: '' })
  const refused = (query: string) => expect(() => readConnect(new URLSearchParams(query)), query).toThrow(MalformedBody)
  for (const query of ['', 'deviceId=0', `uuid=${uuid}`, `uuid=${uuid}1&deviceId=0`, 'uuid=%2B&deviceId=0'])
    refused(query)
  for (const more of ['simUUID=%00', `simUUID=${'8'.repeat(23)}`, 'simMobile=a', `uuid=${uuid}`, 'deviceId=1'])
    refused(`uuid=${uuid}&deviceId=0&${more}`)
})

test('versions are read from the body, and nothing unprintable', () => {
  expect(readVersions('hardware=V6086&software=20240904-RBMG-3.0.0.0')).toEqual({
    hardware: 'V6086',
    software: '20240904-RBMG-3.0.0.0',
  })
  expect(readVersions('')).toEqual({})
  expect(readVersions(`hardware=%00&software=${'a'.repeat(65)}`)).toEqual({})
  expect(readVersions('x'.repeat(100_000))).toEqual({})
})

test('what a connect is answered is what the cabinet dials', () => {
  const login = {
    clientId: `cabinet-${uuid}`,
    host: 'mqtt.example',
    port: 1883,
    username: `cabinet-${uuid}`,
    password: 'a_b-C1',
  }
  const text = connectAnswer(login, 1_759_941_810_123)
  expect(JSON.parse(text)).toEqual({
    code: 200,
    type: 0,
    data: `cabinet-${uuid},powerbank,mqtt.example,1883,cabinet-${uuid},a_b-C1,1759941810123`,
    msg: 'OK',
    time: 1_759_941_810_123,
  })
  expect(readConnectAnswer(text)).toEqual(login)
  for (const password of ['', 'a,b', 'a b', 'ключ'])
    expect(() => connectAnswer({ ...login, password }, 1)).toThrow(RangeError)
  for (const no of [
    '',
    'null',
    '{}',
    '{"code":200}',
    '{"code":200,"data":"a,b"}',
    answer(401, 'sign error', 1),
    '[',
    '7',
  ])
    expect(() => readConnectAnswer(no), no).toThrow(MalformedBody)
})

test('an upload and a return are answered with nothing but success', () => {
  expect(answer(200, 'OK', 1_759_941_810_123)).toBe('{"code":200,"type":0,"msg":"OK","time":1759941810123}')
})

test('an upload says whose it is, a return which bank is where', () => {
  const query = (text: string) => new URLSearchParams(text)
  expect(readUpload(query(`rentboxSN=${uuid}&signal=CSQ:31&io=0&ssid=x`))).toEqual({ uuid, signal: 'CSQ:31' })
  expect(() => readUpload(query('signal=CSQ:31'))).toThrow(MalformedBody)
  expect(readReturn(query(`rentboxSN=${uuid}&singleSN=40818048&hole=3`))).toEqual({ uuid, bankId: '026ED580', slot: 3 })
  for (const wrong of ['singleSN=0&hole=3', 'singleSN=4294967296&hole=3', 'singleSN=1&hole=0', 'singleSN=1&hole=256'])
    expect(() => readReturn(query(`rentboxSN=${uuid}&${wrong}`)), wrong).toThrow(MalformedBody)
  for (const wrong of ['singleSN=1', 'hole=1', 'singleSN=1&hole=1&hole=2', 'singleSN=x&hole=1', 'singleSN=1&hole=-1'])
    expect(() => readReturn(query(`rentboxSN=${uuid}&${wrong}`)), wrong).toThrow(MalformedBody)
})
