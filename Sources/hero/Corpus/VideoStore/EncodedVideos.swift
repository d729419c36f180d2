import Formats

/// The processes that encode videos together, as one of them sees them.
///
/// The first process writes the store.
public struct EncodingRanks {
  /// The number of this process among ``size``, from 0.
  public var rank: Int
  /// The number of processes.
  public var size: Int
  /// Gathers every process's bytes in the order of the ranks; all call it at the same time.
  public var gather: ([UInt8]) throws -> [[UInt8]]

  /// - Parameter gather: exchanges bytes; all processes call it at the same time.
  public init(rank: Int, size: Int, gather: @escaping ([UInt8]) throws -> [[UInt8]]) {
    (self.rank, self.size, self.gather) = (rank, size, gather)
  }

  /// One process, which does everything.
  public static var alone: EncodingRanks { EncodingRanks(rank: 0, size: 1) { [$0] } }
}

/// The entries of videos in the order of the videos, whichever rank encodes them.
///
/// Each rank encodes a range of videos, round after round, and receives what the others made. Only
/// the first needs it, because LMDB has one writer. Sending nothing to the others would not save it
/// time. A round has as many videos as fit into the bytes that a rank may hold. For this, each rank
/// measures a share of the videos' files, and all exchange the sizes.
struct EncodedVideos {
  private let ranks: EncodingRanks
  private let rounds: [[Range<Int>]]
  private let own: Prefetch<Result<FeatureEncoder.Encoded, UnreadableVideo>>
  private var round = 0
  private var ready: [Result<FeatureEncoder.Encoded, UnreadableVideo>] = []

  /// The most bytes of features that are read, encoded, exchanged or waiting together; a larger
  /// video is alone.
  static let mostBytes = 128 << 20
  /// The most videos that a rank encodes between two exchanges.
  private static let each = 8

  /// - Throws: what the exchange of sizes throws.
  init(
    _ videos: [FeatureFiles], _ encoder: FeatureEncoder, threads: Int, among ranks: EncodingRanks
  ) throws {
    self.ranks = ranks
    let sizes = try ranks.size > 1 ? Self.sizes(of: videos, threads: threads, among: ranks) : nil
    rounds = Self.rounds(videos.count, sizes: sizes, of: ranks.size)
    let numbers = rounds.flatMap { $0[ranks.rank] }
    own = Prefetch(
      numbers.indices, threads: threads, depth: 2 * threads,
      cost: (Self.mostBytes, { sizes?[numbers[$0]] ?? FeatureEncoder.byteCount(of: videos[numbers[$0]]) })
    ) { number in
      do {
        return .success(try encoder.encode(videos[numbers[number]]))
      } catch let bad as UnreadableVideo {
        return .failure(bad)
      }
    }
  }

  /// Returns the bytes of each video's features; every rank measures its share and sends it to all.
  private static func sizes(
    of videos: [FeatureFiles], threads: Int, among ranks: EncodingRanks
  ) throws -> [Int] {
    let own = Array(stride(from: ranks.rank, to: videos.count, by: ranks.size))
    let counts = Prefetch(own.indices, threads: threads, depth: 64 * threads) {
      FeatureEncoder.byteCount(of: videos[own[$0]])
    }
    var bytes: [MessagePack] = []
    while let count = try counts.next() { bytes.append(.int(count)) }
    let parts = try ranks.gather(MessagePack.array(bytes).encode()).map {
      try MessagePack.decode($0).array?.compactMap(\.int) ?? []
    }
    return try videos.indices.map { number in
      let part = parts[number % ranks.size]
      guard number / ranks.size < part.count else { throw DataError("another process sent too few sizes") }
      return part[number / ranks.size]
    }
  }

  /// Returns the videos that each rank encodes in each round.
  ///
  /// In a round every rank takes some neighbouring videos, as many as the round's bytes allow and
  /// at most `each`. A larger video has a round alone.
  static func rounds(_ count: Int, sizes: [Int]?, of ranks: Int) -> [[Range<Int>]] {
    var rounds: [[Range<Int>]] = []
    var next = 0
    while next < count {
      var left = mostBytes
      var isFull = false
      let first = next
      rounds.append(
        (0..<ranks).map { rank in
          let start = next
          // Each rank has a share of what is left, so that all have work to do.
          var share = left / (ranks - rank)
          while !isFull, next < count, next - start < each {
            let size = sizes?[next] ?? 0
            guard size <= left || next == first else {
              isFull = true
              break
            }
            guard size <= share || next == start else { break }
            (left, share, next) = (left - min(left, size), share - min(share, size), next + 1)
          }
          return start..<next
        })
    }
    return rounds
  }

  /// Returns the next video's entries; nil after the last, and on all ranks but the first.
  mutating func next() throws -> Result<FeatureEncoder.Encoded, UnreadableVideo>? {
    guard ranks.size > 1 else { return try own.next() }
    if ready.isEmpty, round < rounds.count {
      var made: [MessagePack] = []
      for _ in rounds[round][ranks.rank] {
        if let video = try own.next() { made.append(Self.packed(video)) }
      }
      round += 1
      let parcels = try ranks.gather(MessagePack.array(made).encode())
      if ranks.rank == 0 {
        ready = try parcels.flatMap { try MessagePack.decode($0).array ?? [] }.map(Self.unpacked).reversed()
      }
    }
    return ready.popLast()
  }

  private static func packed(_ video: Result<FeatureEncoder.Encoded, UnreadableVideo>) -> MessagePack {
    switch video {
    case .failure(let bad): .string(bad.reason)
    case .success(let encoded):
      .array(
        [.array(encoded.widths.map { .int($0) }), .array(encoded.notes.map { .string($0) })]
          + encoded.entries.map { .array([.string($0.key), .binary($0.value), .int($0.frames)]) })
    }
  }

  private static func unpacked(_ value: MessagePack) throws -> Result<FeatureEncoder.Encoded, UnreadableVideo>
  {
    if let reason = value.string { return .failure(UnreadableVideo(reason)) }
    guard let parts = value.array, parts.count >= 2, let widths = parts[0].array?.compactMap(\.int),
      let notes = parts[1].array?.compactMap(\.string)
    else {
      throw DataError("another process sent what is no video")
    }
    let entries = try parts.dropFirst(2).map { part in
      guard let entry = part.array, entry.count == 3, let key = entry[0].string, let value = entry[1].bytes,
        let frames = entry[2].int
      else { throw DataError("another process sent what is no entry") }
      return FeatureEncoder.Encoded.Entry(key: key, value: value, frames: frames)
    }
    return .success(FeatureEncoder.Encoded(entries: entries, widths: widths, notes: notes))
  }
}
