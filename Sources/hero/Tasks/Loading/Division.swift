import Corpus
import Engine

extension Communicator {
  /// Does this rank's part of some work and joins all ranks' results, in the order of the work.
  ///
  /// The ranks advance about equally fast, so progress is scaled to the whole work. If one rank is
  /// interrupted, all stop.
  /// - Parameters:
  ///   - pieces: the number of pieces of work, such as batches; each rank does a run of them.
  ///   - work: does these pieces.
  /// - Returns: the results of each rank.
  func divide<Result: Parcelled>(
    _ pieces: Int, _ work: (_ pieces: Range<Int>) throws -> [Result]
  ) throws -> [[Result]] {
    guard size > 1 else { return [try work(0..<pieces)] }
    var interruption: Interruption?
    var parcel = Parcel()
    do {
      for result in try work(part(of: pieces)) { result.put(into: &parcel) }
    } catch let error as Interruption {
      interruption = error
    }
    let signal = maximum([Double(interruption?.signal ?? 0)])[0]
    if signal > 0 { throw Interruption(signal: Int32(signal)) }
    return gather(parcel.bytes).map { bytes in
      var (parcel, results) = (Parcel(bytes: bytes), [Result]())
      while !parcel.isAtEnd { results.append(Result(from: &parcel)) }
      return results
    }
  }

  /// Does the same batch by batch; loading threads make the batches ahead.
  /// - Parameters:
  ///   - progress: takes the number of items done; what it throws ends the work.
  ///   - make: returns the batch of some items.
  ///   - work: does a batch.
  func divide<Batch: Sendable, Result: Parcelled>(
    _ batches: ItemBatches, progress: (Int) throws -> Void,
    make: @escaping @Sendable (_ items: Range<Int>) throws -> Batch,
    work: (_ batch: Batch) throws -> [Result]
  ) throws -> [[Result]] {
    try divide(batches.batches) { own in
      let queue = Prefetch(own) { try make(batches[$0]) }
      var results: [Result] = []
      for number in own {
        guard let batch = try queue.next() else { break }
        results += try work(batch)
        let done = batches.items(of: own.lowerBound..<number + 1)
        try progress(stretched(done, own: batches.items(of: own), total: batches.count))
      }
      return results
    }
  }

  /// Returns the progress of the whole work, from that of this rank's part.
  /// - Parameters:
  ///   - done: the items done, of this rank's `own`.
  ///   - total: the items of all ranks.
  func stretched(_ done: Int, own: Int, total: Int) -> Int {
    size == 1 || own == 0 ? done : min(total, done * total / own)
  }
}

/// A result that ranks send to one another.
protocol Parcelled {
  func put(into parcel: inout Parcel)
  /// Takes out what `put` puts in.
  init(from parcel: inout Parcel)
}

extension Parcelled where Self: BitwiseCopyable {
  func put(into parcel: inout Parcel) { parcel.put([self]) }
  init(from parcel: inout Parcel) { self = parcel.take()[0] }
}

extension Int: Parcelled {}

/// A number type whose arrays ranks send to one another.
protocol ParcelledNumber: BitwiseCopyable {}
extension Float: ParcelledNumber {}
extension Int32: ParcelledNumber {}

extension Array: Parcelled where Element: ParcelledNumber {
  func put(into parcel: inout Parcel) { parcel.put(self) }
  init(from parcel: inout Parcel) { self = parcel.take() }
}

/// Results that ranks send to one another: numbers and texts, taken out in the order put in.
struct Parcel {
  private(set) var bytes: [UInt8] = []
  private var read = 0

  init(bytes: [UInt8] = []) { self.bytes = bytes }

  /// Whether everything is taken out.
  var isAtEnd: Bool { read == bytes.count }

  mutating func put<Element: BitwiseCopyable>(_ elements: [Element]) {
    withUnsafeBytes(of: elements.count) { bytes += $0 }
    elements.withUnsafeBytes { bytes += $0 }
  }

  mutating func put(_ text: String) { put(Array(text.utf8)) }

  mutating func take<Element: BitwiseCopyable>(_: Element.Type = Element.self) -> [Element] {
    let count = bytes.withUnsafeBytes { $0.loadUnaligned(fromByteOffset: read, as: Int.self) }
    read += MemoryLayout<Int>.size
    let end = read + count * MemoryLayout<Element>.stride
    defer { read = end }
    return [Element](unsafeUninitializedCapacity: count) { buffer, filled in
      bytes.withUnsafeBytes {
        UnsafeMutableRawBufferPointer(buffer).copyMemory(
          from: UnsafeRawBufferPointer(rebasing: $0[read..<end]))
      }
      filled = count
    }
  }

  mutating func takeText() -> String { String(decoding: take(UInt8.self), as: UTF8.self) }
}
