import CCUDA
import Foundation

/// The driver's numbers.
enum DriverCode {
  /// Of a function: the most shared memory that a block asks for.
  static let sharedBytes: Int32 = 8
  /// Of a pool: bytes that are kept when they are given back.
  static let keptBytes: Int32 = 4
  /// Of a pool: the most bytes that were taken of it, since this was set to 0.
  static let mostBytes: Int32 = 8
  /// Not synchronised with the stream that others may use by default.
  static let ownStream: UInt32 = 1
  /// An event with a time, and one without.
  static let (timed, untimed): (UInt32, UInt32) = (0, 2)
  /// Of a recording: what other threads do is not looked at.
  static let relaxed: UInt32 = 2
  /// Pinned for every context.
  static let pinnedForAll: UInt32 = 1
}

/// A device's context and the one stream that queues all of its work, in the order of the calls.
///
/// Threads may share it: the driver takes calls from any thread for which the context was made
/// current.
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

  /// The number of the device for one of several processes of a machine; more than there are
  /// devices share them.
  static func ordinal(_ functions: hero_cuda_functions, place: Int) throws -> Int {
    var count: Int32 = 0
    try check(functions, functions.start(0), "start")
    try check(functions, functions.device_count(&count), "count the devices")
    return count > 0 ? place % Int(count) : 0
  }

  /// The driver's devices.
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

  /// Ends the program where the device failed: nothing on it can be trusted any more.
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

  /// What tells one GPU, or one part of one, from all others.
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

  /// Marks with the event what is queued so far.
  func record(_ event: UnsafeMutableRawPointer) {
    enter()
    check(functions.event_record(event, handle), "mark a place in a stream")
  }

  /// Waits until the device has come to what the event marks.
  func wait(until event: UnsafeMutableRawPointer) {
    enter()
    check(functions.event_synchronize(event), "wait for the device")
  }

  /// Lets what is queued from here on come after what the event marks now.
  func wait(for event: UnsafeMutableRawPointer) {
    enter()
    check(functions.stream_wait(handle, event, 0), "wait for another stream")
  }
}
