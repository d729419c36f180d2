import CCUDA
import Foundation

/// The driver's constants.
enum DriverCode {
  /// A function's attribute: the most shared memory that a block asks for, in bytes.
  static let sharedBytes: Int32 = 8
  /// A pool's attribute: the bytes that it keeps when they are given back.
  static let keptBytes: Int32 = 4
  /// A pool's attribute: the most bytes taken since this was set to 0.
  static let mostBytes: Int32 = 8
  /// A stream's flag: it does not synchronise with the default stream.
  static let ownStream: UInt32 = 1
  /// The flags of an event with a time and of one without.
  static let (timed, untimed): (UInt32, UInt32) = (0, 2)
  /// A recording's mode: the calls of other threads are not checked.
  static let relaxed: UInt32 = 2
  /// An allocation's flag: the memory is pinned for every context.
  static let pinnedForAll: UInt32 = 1
}

/// A device's context and the one stream that queues all of its work, in the order of the calls.
///
/// Threads may share it: the driver accepts calls from any thread where the context is current.
final class CUDAStream: @unchecked Sendable {
  let functions: hero_cuda_functions
  let device: Int32
  /// The device's number, as the driver counts.
  let ordinal: Int
  private let context: UnsafeMutableRawPointer
  let handle: UnsafeMutableRawPointer
  private let pool: UnsafeMutableRawPointer?

  /// Attributes by the driver's numbers.
  enum Attribute: Int32 {
    case multiprocessors = 16
    case majorCapability = 75
    case minorCapability = 76
    case sharedMemory = 97
    case memoryPools = 115
  }

  /// - Throws: `EngineError` where the driver refuses.
  init(_ functions: hero_cuda_functions, ordinal: Int) throws {
    (self.functions, self.ordinal) = (functions, ordinal)
    var (device, context, stream): (Int32, UnsafeMutableRawPointer?, UnsafeMutableRawPointer?) = (0, nil, nil)
    try Self.check(functions, functions.start(0), "start")
    try Self.check(functions, functions.device_get(&device, Int32(ordinal)), "find device \(ordinal)")
    try Self.check(functions, functions.retain_context(&context, device), "open device \(ordinal)")
    try Self.check(functions, functions.set_context(context), "use device \(ordinal)")
    try Self.check(functions, functions.stream_create(&stream, DriverCode.ownStream), "make a stream")
    guard let context, let stream else { throw EngineError("CUDA gave no context") }
    guard try Self.attribute(.memoryPools, functions, device) == 1 else {
      throw EngineError("this device has no stream-ordered memory; hero needs it")
    }
    var pool: UnsafeMutableRawPointer?
    try Self.check(functions, functions.default_pool(&pool, device), "find the memory pool")
    (self.device, self.context, handle, self.pool) = (device, context, stream, pool)
    // Memory that was given back stays with this process.
    for (attribute, value) in [(DriverCode.keptBytes, UInt64.max), (DriverCode.mostBytes, 0)] {
      var value = value
      try Self.check(
        functions, functions.set_pool_attribute(pool, attribute, &value), "set up the memory pool")
    }
  }

  deinit {
    _ = functions.set_context(context)
    _ = functions.stream_destroy(handle)
    _ = functions.release_context(device)
  }

  func attribute(_ attribute: Attribute) throws -> Int {
    try Self.attribute(attribute, functions, device)
  }

  private static func attribute(
    _ attribute: Attribute, _ functions: hero_cuda_functions, _ device: Int32
  ) throws -> Int {
    var value: Int32 = 0
    try check(
      functions, functions.device_attribute(&value, attribute.rawValue, device), "ask for \(attribute)")
    return Int(value)
  }

  /// The device's name, as the driver has it.
  var name: String {
    var title = [CChar](repeating: 0, count: 256)
    _ = functions.device_name(&title, 256, device)
    return String(decoding: title.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }

  /// The most bytes that this process has taken of the device's pool since the stream was made.
  var peakBytes: Int {
    var bytes: UInt64 = 0
    enter()
    check(functions.get_pool_attribute(pool, DriverCode.mostBytes, &bytes), "ask the memory pool")
    return Int(bytes)
  }

  /// Returns the device's number for one of several processes on a machine.
  ///
  /// Processes share devices if there are more processes than devices.
  static func ordinal(_ functions: hero_cuda_functions, place: Int) throws -> Int {
    var count: Int32 = 0
    try check(functions, functions.start(0), "start")
    try check(functions, functions.device_count(&count), "count the devices")
    return count > 0 ? place % Int(count) : 0
  }

  /// Returns a description of each of the driver's devices.
  /// - Parameter canCompute: whether the other libraries are there.
  static func devices(_ functions: hero_cuda_functions, canCompute: Bool) -> [Device.Description] {
    var count: Int32 = 0
    do {
      try check(functions, functions.start(0), "start")
      try check(functions, functions.device_count(&count), "count the devices")
    } catch {
      return [Device.Description(name: "cuda", text: "\(error)", isUsable: false)]
    }
    guard count > 0 else {
      return [Device.Description(name: "cuda", text: "the driver finds no GPU", isUsable: false)]
    }
    return (0..<count).map { ordinal in
      var (device, major, minor): (Int32, Int32, Int32) = (0, 0, 0)
      var (bytes, title) = (0, [CChar](repeating: 0, count: 256))
      _ = functions.device_get(&device, ordinal)
      _ = functions.device_name(&title, 256, device)
      _ = functions.device_memory(&bytes, device)
      _ = functions.device_attribute(&major, Attribute.majorCapability.rawValue, device)
      _ = functions.device_attribute(&minor, Attribute.minorCapability.rawValue, device)
      let name = String(decoding: title.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
      let age = major < 7 ? "; too old, hero needs 7.0" : major < 8 ? "; fp32 only" : ""
      return Device.Description(
        name: "cuda:\(ordinal)",
        text: "\(name), \(bytes >> 30) GB, compute capability \(major).\(minor)\(age)",
        isUsable: canCompute && major >= 7)
    }
  }

  /// Makes the device current for the calling thread.
  func enter() { check(functions.set_context(context), "use the device") }

  /// Ends the program if a call failed: nothing on the device can be trusted then.
  func check(_ failure: Int32, _ what: String) {
    guard failure != 0 else { return }
    deviceFailed("CUDA could not \(what): \(Self.text(functions, failure))")
  }

  static func check(_ functions: hero_cuda_functions, _ failure: Int32, _ what: String) throws {
    guard failure == 0 else { throw EngineError("CUDA could not \(what): \(text(functions, failure))") }
  }

  private static func text(_ functions: hero_cuda_functions, _ failure: Int32) -> String {
    var text: UnsafePointer<CChar>?
    guard functions.error_string(failure, &text) == 0, let text else { return "error \(failure)" }
    return "\(String(cString: text)) (\(failure))"
  }

  func synchronize() {
    enter()
    check(functions.stream_synchronize(handle), "wait for the device")
  }

  /// Returns the UUID that tells one GPU, or one part of a GPU, from all others.
  func identity() throws -> [UInt8] {
    var uuid = [CChar](repeating: 0, count: 16)
    try Self.check(functions, functions.device_uuid(&uuid, device), "identify the device")
    return uuid.map { UInt8(bitPattern: $0) }
  }
}

// MARK: - Events

extension CUDAStream {
  func makeEvent(timed: Bool = false) -> UnsafeMutableRawPointer {
    enter()
    var event: UnsafeMutableRawPointer?
    check(
      functions.event_create(&event, timed ? DriverCode.timed : DriverCode.untimed), "make an event")
    guard let event else { deviceFailed("CUDA gave no event") }
    return event
  }

  /// Records in the event what is queued so far.
  func record(_ event: UnsafeMutableRawPointer) {
    enter()
    check(functions.event_record(event, handle), "mark a place in a stream")
  }

  /// Waits until the device reaches the event.
  func wait(until event: UnsafeMutableRawPointer) {
    enter()
    check(functions.event_synchronize(event), "wait for the device")
  }

  /// Makes what is queued from here on wait for what the event marks at this point.
  func wait(for event: UnsafeMutableRawPointer) {
    enter()
    check(functions.stream_wait(handle, event, 0), "wait for another stream")
  }
}
