import Formats

/// The processes that encode videos together, as one of them sees them. The first writes the store.
public struct EncodingRanks {
  public var rank: Int
  public var size: Int
  /// Every process's bytes, in the order of the ranks. All call it at the same time.
  public var gather: ([UInt8]) throws -> [[UInt8]]

  public init(rank: Int, size: Int, gather: @escaping ([UInt8]) throws -> [[UInt8]]) {
    (self.rank, self.size, self.gather) = (rank, size, gather)
  }

  /// One process, which does everything.
  public static var alone: EncodingRanks { EncodingRanks(rank: 0, size: 1) { [$0] } }
}

/// Videos' entries in the order of the videos, whoever encodes them.
///
/// Ranks encode a stretch of videos each, round after round, and all receive what the others made.
/// Only the first needs it, and would not have it sooner if it were sent to nobody else; LMDB has
/// one writer.
struct EncodedVideos {
  private let ranks: EncodingRanks
  private let rounds: [[Range<Int>]]
  private let own: Prefetch<Result<FeatureEncoder.Encoded, UnreadableVideo>>
  private var round = 0
  private var ready: [Result<FeatureEncoder.Encoded, UnreadableVideo>] = []

  /// Bytes of features that are read, encoded or wait together; a video with more is alone.
  private static let mostBytes = 128 << 20
  /// Videos that a rank encodes between two exchanges.
  private static let each = 8

  init(_ videos: [FeatureFiles], _ encoder: FeatureEncoder, threads: Int, among ranks: EncodingRanks) {
    self.ranks = ranks
    rounds = Self.rounds(videos.count, each: Self.each, of: ranks.size)
    let numbers = rounds.flatMap { $0[ranks.rank] }
    own = Prefetch(
      numbers.indices, threads: threads, depth: 2 * threads,
      cost: (Self.mostBytes, { FeatureEncoder.byteCount(of: videos[numbers[$0]]) })
    ) { number in
      do {
        return .success(try encoder.encode(videos[numbers[number]]))
      } catch let bad as UnreadableVideo {
        return .failure(bad)
      }
    }
  }

  /// Who encodes what: `each` videos by every rank in a round, fewer in the last.
  private static func rounds(_ count: Int, each: Int, of size: Int) -> [[Range<Int>]] {
    stride(from: 0, to: count, by: each * size).map { first in
      (0..<size).map { min(count, first + $0 * each)..<min(count, first + ($0 + 1) * each) }
    }
  }

  /// The next video's entries; nil after the last, and on all ranks but the first.
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
