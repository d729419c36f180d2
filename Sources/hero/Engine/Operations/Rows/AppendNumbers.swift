import CCUDA

/// Enters one more number for each of several lists, log[places[i]] = numbers[i], and goes on to
/// their next places: `places` and `counters` grow by one.
public struct AppendNumbers: Operation {
  let numbers: Indices
  let log: Indices?
  let places: Indices
  let counters: Indices

  /// - Parameters:
  ///   - log: where the numbers go; nil for nowhere.
  ///   - places: of the lists' next numbers in the log.
  ///   - counters: how many numbers the lists have.
  public init(_ numbers: Indices, to log: Indices?, places: Indices, counters: Indices) {
    (self.numbers, self.log, self.places, self.counters) = (numbers, log, places, counters)
  }

  /// As many numbers as places and counters.
  public func check() {
    precondition(numbers.count == places.count && counters.count == places.count)
  }
  /// All but the log.
  public var reads: [(any Operand)?] { [numbers, places, counters] }
  /// Places, counters and as many of the log's numbers.
  public var writes: [(any Operand)?] { [places, counters, log.map { _ in numbers }] }

  /// One number after the other.
  public func run(on cpu: CPUBackend) {
    for i in 0..<numbers.count {
      let place = Int(places.pointer[i])
      if let log {
        precondition((0..<log.count).contains(place))
        log.pointer[place] = numbers.pointer[i]
      }
      places.pointer[i] += 1
      counters.pointer[i] += 1
    }
  }

  /// One kernel.
  public func run(on gpu: CUDABackend) {
    gpu.launch(
      .appendNumbers, elements: numbers.count,
      hero_append_arguments(
        numbers: numbers.numbers.map { UnsafePointer($0) }, log: log?.numbers, places: places.numbers,
        counters: counters.numbers, count: Int64(numbers.count)))
  }
}
