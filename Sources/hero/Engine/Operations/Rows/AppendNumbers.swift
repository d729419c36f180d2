import CCUDA

/// log[places[i]] = numbers[i], one more number for each of several lists; then `places` and
/// `counters` grow by one.
public struct AppendNumbers: Operation {
  let numbers: Indices
  let log: Indices?
  let places: Indices
  let counters: Indices

  /// - Parameters:
  ///   - log: the destination of the numbers; nil for none.
  ///   - places: the places of the lists' next numbers in the log.
  ///   - counters: the number of numbers in each list.
  public init(_ numbers: Indices, to log: Indices?, places: Indices, counters: Indices) {
    (self.numbers, self.log, self.places, self.counters) = (numbers, log, places, counters)
  }

  /// Checks that there are as many places and counters as numbers.
  public func check() {
    precondition(numbers.count == places.count && counters.count == places.count)
  }
  /// All but the log.
  public var reads: [(any Operand)?] { [numbers, places, counters] }
  /// The places, the counters and as many numbers of the log.
  public var writes: [(any Operand)?] { [places, counters, log.map { _ in numbers }] }

  /// Appends one number after the other.
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

  /// Runs one kernel.
  public func run(on gpu: CUDABackend) {
    gpu.launch(
      .appendNumbers, elements: numbers.count,
      hero_append_arguments(
        numbers: numbers.numbers.map { UnsafePointer($0) }, log: log?.numbers, places: places.numbers,
        counters: counters.numbers, count: Int64(numbers.count)))
  }
}
