import Engine
import Formats

/// Finds the entries of an index whose best frames fit queries best.
///
/// In an index of more rows than are to be read, three steps look at ever fewer frames ever more closely: the signs of all
/// frames where the query is large, the records of those whose signs look best, the rows of those whose records do.
struct FrameSearch: Sendable {
  /// The cosine of an entry's best frame.
  typealias Found = (place: Int, score: Float)

  let index: IndexFile
  let scanner: RowScanner
  /// Frames that are compared exactly, at most; or all if there are no more.
  let rowsRead: Int
  /// What threads take one after another.
  private let stretches: [Stretch]
  private let samples: [Stretch]

  /// A part of one segment: blocks of frames, of which a sample is one step; entries where codes are of an older version.
  private struct Stretch: Hashable {
    var segment: Int
    var parts: Range<Int>
    var step: Int?
  }

  private static let entriesAStretch = 64
  /// Steps of frames from whose estimates it is told which are among the best.
  private static let sampled = 64
  /// The part of the records that is read for each row that may be: `least` of all of them together, and of large indexes
  /// `part`, so that no more of the best are lost the more frames there are.
  private static let recordsARow = (least: 4.0, part: 1e-6)
  /// Where more than this part of the records is read, the signs are not.
  private static let partWithoutSigns = 0.3
  /// Rows that are read before it is told how many more must be.
  private static let firstRows = 1024
  /// A frame is left out where its estimate would have to be off by more than so many deviations.
  private static let deviations: Float = 3
  /// Queries that are answered together, bytes of what is noted for them at most, and entries that a thread takes.
  private static let together = (queries: 16, bytes: 2 << 30, entries: 8)

  init(_ index: IndexFile, scanner: RowScanner, rowsRead: Int) {
    self.index = index
    self.scanner = scanner
    self.rowsRead = rowsRead
    let width = index.head.width
    stretches = index.segments.enumerated().flatMap { number, segment in
      let head = segment.head
      let parts = head.isOld ? head.entries : FrameCodeLayout(width: width).blocks(frames: head.rows)
      let size = head.isOld ? Self.entriesAStretch : 1
      return stride(from: 0, to: parts, by: size).map {
        Stretch(segment: number, parts: $0..<min(parts, $0 + size))
      }
    }
    samples = Self.samples(of: index)
  }

  /// Frames spread over the index.
  private static func samples(of index: IndexFile) -> [Stretch] {
    var (samples, known) = ([Stretch](), Set<Stretch>())
    var (segment, before) = (0, 0)
    for number in 0..<min(sampled, index.rows) {
      let row = Int((Double(number) + 0.5) * Double(index.rows) / Double(min(sampled, index.rows)))
      while segment + 1 < index.segments.count, row >= before + index.segments[segment].head.rows {
        before += index.segments[segment].head.rows
        segment += 1
      }
      let own = index.segments[segment]
      let place = min(row - before, own.head.rows - 1)
      let sample: Stretch
      if own.head.isOld {
        let first = own.entry(ofRow: place)
        let end = own.entry(ofRow: min(place + FrameCodeLayout.stepFrames, own.head.rows - 1)) + 1
        sample = Stretch(segment: segment, parts: first..<end)
      } else {
        let block = place / FrameCodeLayout.blockFrames
        sample = Stretch(
          segment: segment, parts: block..<block + 1,
          step: place % FrameCodeLayout.blockFrames / FrameCodeLayout.stepFrames)
      }
      if known.insert(sample).inserted { samples.append(sample) }
    }
    return samples
  }

  /// The best entries for queries of unit length, the best first: at least `kept` of different videos if there are so many.
  func best(_ units: [[Float]], kept: Int) throws -> [[Found]] {
    guard index.rows > rowsRead else { return try units.map { try everything($0) } }
    var result: [[Found]] = []
    let room = Self.together.bytes / (MemoryLayout<Candidate>.stride * index.rows)
    let together = max(1, min(Self.together.queries, room))
    for first in stride(from: 0, to: units.count, by: together) {
      result += try index.file.withBytes { bytes in
        // Rows of an entry at most, so that those of enough others are read as well.
        let most = max(1, rowsRead / (4 * min(kept, index.count)))
        let asked = units[first..<min(units.count, first + together)].map { ask($0, most: most, bytes) }
        return candidates(asked, bytes).enumerated().map {
          compared(asked[$0].unit, Self.spread($1, most: most), kept: min(kept, index.count), bytes)
        }
      }
    }
    return result
  }

  /// Every entry whose frames are all numbers, as of videos in memory.
  private func everything(_ unit: [Float]) throws -> [Found] {
    let scores = try index.file.withBytes { exact(0..<index.places, unit, $0) }
    return Self.ranked(scores.indices.lazy.filter { !scores[$0].isNaN }.map { ($0, scores[$0]) })
  }

  /// The cosines of a query with the best frames of entries; not numbers where one of their frames is none.
  private func exact(
    _ places: some RandomAccessCollection<Int>, _ unit: [Float], _ bytes: UnsafeRawBufferPointer
  ) -> [Float] {
    let places = Array(places)
    return [Float](unsafeUninitializedCapacity: places.count) { scores, written in
      nonisolated(unsafe) let scores = scores
      scanner.forEach((places.count + Self.together.entries - 1) / Self.together.entries) { number in
        let own = number * Self.together.entries..<min(places.count, (number + 1) * Self.together.entries)
        for i in own {
          let (segment, entry) = index.place(of: places[i])
          let frames = segment.frames(entry)
          scores[i] = withUnsafeTemporaryAllocation(of: Float.self, capacity: frames.count) { values in
            read(frames, of: segment, unit, bytes, into: values)
            return values.contains { $0.isNaN } ? .nan : values.reduce(-.infinity) { max($0, $1) }
          }
        }
      }
      written = places.count
    }
  }

  private static func ranked(_ found: some Sequence<Found>) -> [Found] {
    found.sorted { $0.score > $1.score || $0.score == $1.score && $0.place < $1.place }
  }

  private func read(
    _ rows: Range<Int>, of segment: IndexFile.Segment, _ unit: [Float], _ bytes: UnsafeRawBufferPointer,
    into values: UnsafeMutableBufferPointer<Float>
  ) {
    scanner.products(
      unit, rows: UnsafeRawBufferPointer(rebasing: bytes[segment.rows(rows, index.layout)]),
      normalized: true, into: values)
  }

  // MARK: Estimates

  /// A query with the estimates from which on frames' records are read, and their rows; the lowest of all numbers lets every
  /// frame pass.
  private struct Asked {
    let unit: [Float]
    let query: CodedQuery
    var signs = -Float.infinity
    var records = -Float.infinity
  }

  /// A frame whose row may be read.
  private struct Candidate {
    var place: Int32
    /// In its segment.
    var row: UInt32
    var estimate: Float
  }

  /// Whether entries are so few that each has its best frame compared.
  private var comparesEach: Bool { index.places <= rowsRead }

  private func ask(_ unit: [Float], most: Int, _ bytes: UnsafeRawBufferPointer) -> Asked {
    var asked = Asked(unit: unit, query: scanner.query(unit))
    let rows = Double(index.rows)
    let records = max(Self.recordsARow.part, Self.recordsARow.least / rows)
    if Double(rowsRead) * records < Self.partWithoutSigns {
      var (estimates, seen): ([Float], Int) = ([], 0)
      for sample in samples where !index.segments[sample.segment].head.isOld {
        withBuffers { signs, _, _ in
          let frames = estimateSigns(asked, sample, bytes, signs)
          seen += frames.count
          estimates += spread(
            zip(frames, signs), of: sample, rows: frames, most: Double(most) * records * rows)
        }
      }
      asked.signs = Self.value(reachedBy: Double(rowsRead) * records * Double(seen), of: estimates)
    }
    var (estimates, seen): ([Float], Int) = ([], 0)
    for sample in samples {
      var found: [(Int, Float)] = []
      estimate(asked, sample, bytes) { found.append(($0, $1)) }
      let rows = rowsOf(sample)
      seen += rows.count
      estimates += spread(found, of: sample, rows: rows, most: Double(most))
    }
    asked.records = Self.value(reachedBy: Double(rowsRead) / rows * Double(seen), of: estimates)
    return asked
  }

  /// The estimates of a sample, of each entry no more of the best than the sample has of `most` of its frames.
  private func spread(
    _ found: some Sequence<(Int, Float)>, of sample: Stretch, rows: Range<Int>, most: Double
  ) -> [Float] {
    let segment = index.segments[sample.segment]
    var (all, own): ([Float], [Float]) = ([], [])
    var frames = 0..<0
    func finish() {
      let allowed = most * Double(frames.clamped(to: rows).count) / Double(max(1, frames.count))
      if Double(own.count) > allowed {
        all += own.sorted(by: >).prefix(max(1, Int(allowed)))
      } else {
        all += own
      }
      own.removeAll(keepingCapacity: true)
    }
    for (row, estimate) in found {
      if !frames.contains(row) {
        finish()
        frames = segment.frames(segment.entry(ofRow: row))
      }
      own.append(estimate)
    }
    finish()
    return all
  }

  /// What so many of some values reach.
  private static func value(reachedBy wanted: Double, of values: [Float]) -> Float {
    // Estimates of cosines, whatever a file says.
    let finite = values.filter(\.isFinite).map { max(-4, min(4, $0)) }
    guard let least = finite.min(), let most = finite.max(), Double(values.count) > wanted else {
      return -.infinity
    }
    let scale = Float(4095) / max(most - least, 1e-6)
    var counts = [Int](repeating: 0, count: 4096)
    for value in finite { counts[Int((value - least) * scale)] += 1 }
    var left = wanted
    for bin in counts.indices.reversed() {
      left -= Double(counts[bin])
      if left < 0 { return least + Float(bin) / scale }
    }
    return -.infinity
  }

  private func withBuffers<T>(
    _ body: (
      _ signs: UnsafeMutableBufferPointer<Float>, _ numbers: UnsafeMutableBufferPointer<UInt32>,
      _ records: UnsafeMutableBufferPointer<Float>
    ) -> T
  ) -> T {
    let size = FrameCodeLayout.blockFrames
    return withUnsafeTemporaryAllocation(of: Float.self, capacity: size) { signs in
      withUnsafeTemporaryAllocation(of: UInt32.self, capacity: size) { numbers in
        withUnsafeTemporaryAllocation(of: Float.self, capacity: size) { body(signs, numbers, $0) }
      }
    }
  }

  /// The rows of a block, of the step of one, or of entries.
  private func rowsOf(_ stretch: Stretch) -> Range<Int> {
    let segment = index.segments[stretch.segment]
    guard !segment.head.isOld else {
      return Int(
        segment.firstRows[stretch.parts.lowerBound])..<Int(segment.firstRows[stretch.parts.upperBound])
    }
    let block = FrameCodeLayout(width: index.head.width).frames(
      ofBlock: stretch.parts.lowerBound, of: segment.head.rows)
    guard let step = stretch.step else { return block }
    let first = block.lowerBound + step * FrameCodeLayout.stepFrames
    return first..<min(block.upperBound, first + FrameCodeLayout.stepFrames)
  }

  /// Estimates from signs of a block, or of a step of one.
  /// - Returns: the rows whose they are.
  private func estimateSigns(
    _ asked: Asked, _ stretch: Stretch, _ bytes: UnsafeRawBufferPointer,
    _ signs: UnsafeMutableBufferPointer<Float>
  ) -> Range<Int> {
    let codes = index.segments[stretch.segment].codes(bytes, width: index.head.width)
    scanner.estimates(
      asked.query, signs: codes, block: stretch.parts.lowerBound, step: stretch.step,
      centre: scanner.centre(asked.query, codes), into: signs)
    return rowsOf(stretch)
  }

  /// Calls `body` with the row and the estimate of each frame of a stretch whose record is read, in their order.
  private func estimate(
    _ asked: Asked, _ stretch: Stretch, _ bytes: UnsafeRawBufferPointer, _ body: (Int, Float) -> Void
  ) {
    let segment = index.segments[stretch.segment]
    guard !segment.head.isOld else {
      for entry in stretch.parts {
        let frames = segment.frames(entry)
        withUnsafeTemporaryAllocation(of: Float.self, capacity: frames.count) { values in
          scanner.estimates(
            asked.query, videoCode: segment.videoCode(entry, bytes, width: index.head.width), into: values)
          for (row, value) in zip(frames, values) { body(row, value) }
        }
      }
      return
    }
    let codes = segment.codes(bytes, width: index.head.width)
    withBuffers { signs, numbers, records in
      let (rows, block) = (rowsOf(stretch), stretch.parts.lowerBound)
      // Of a step of a block, its place there.
      let first = UInt32((stretch.step ?? 0) * FrameCodeLayout.stepFrames)
      var count = rows.count
      if asked.signs > -.infinity {
        _ = estimateSigns(asked, stretch, bytes, signs)
        count = passing(asked.signs, rows, of: segment, signs, into: numbers)
      } else {
        for i in 0..<count { numbers[i] = UInt32(i) }
      }
      for i in 0..<count { numbers[i] += first }
      scanner.estimates(
        asked.query, records: codes, block: block,
        UnsafeMutableBufferPointer(rebasing: numbers[..<count]), centre: scanner.centre(asked.query, codes),
        into: records)
      for i in 0..<count { body(rows.lowerBound + Int(numbers[i] - first), records[i]) }
    }
  }

  /// The numbers of the frames that pass by their signs.
  private func passing(
    _ threshold: Float, _ rows: Range<Int>, of segment: IndexFile.Segment,
    _ signs: UnsafeMutableBufferPointer<Float>, into numbers: UnsafeMutableBufferPointer<UInt32>
  ) -> Int {
    guard comparesEach else {
      return scanner.reaching(
        threshold, UnsafeMutableBufferPointer(rebasing: signs[..<rows.count]), into: numbers)
    }
    var (count, row) = (0, rows.lowerBound)
    var entry = segment.entry(ofRow: row)
    while row < rows.upperBound {
      let own =
        row - rows.lowerBound..<min(rows.upperBound, segment.frames(entry).upperBound) - rows.lowerBound
      let most = own.reduce(-Float.infinity) { max($0, signs[$1]) }
      for number in own where signs[number] >= min(threshold, most) {
        numbers[count] = UInt32(number)
        count += 1
      }
      (row, entry) = (rows.lowerBound + own.upperBound, entry + 1)
    }
    return count
  }

  /// The frames whose rows may be read for each query, in the order of the index. All queries are answered in one pass.
  private func candidates(_ asked: [Asked], _ bytes: UnsafeRawBufferPointer) -> [[Candidate]] {
    var lists = [[[Candidate]]](repeating: [], count: stretches.count)
    lists.withUnsafeMutableBufferPointer { lists in
      // No two threads write the same list.
      nonisolated(unsafe) let lists = lists
      scanner.forEach(stretches.count) { number in
        lists[number] = asked.map { candidates($0, stretches[number], bytes) }
      }
    }
    return asked.indices.map { query in lists.flatMap { $0[query] } }
  }

  private func candidates(
    _ asked: Asked, _ stretch: Stretch, _ bytes: UnsafeRawBufferPointer
  ) -> [Candidate] {
    let segment = index.segments[stretch.segment]
    var list: [Candidate] = []
    var (entry, end, hasPassed) = (-1, 0, true)
    // The best frame of an entry of which none has passed.
    var best = Candidate(place: 0, row: 0, estimate: -.infinity)
    estimate(asked, stretch, bytes) { row, estimate in
      guard estimate >= asked.records || comparesEach else { return }
      if row >= end {
        if !hasPassed { list.append(best) }
        entry = entry < 0 ? segment.entry(ofRow: row) : entry + 1
        while row >= segment.frames(entry).upperBound { entry += 1 }
        (end, hasPassed) = (segment.frames(entry).upperBound, !comparesEach)
        best.estimate = -.infinity
      }
      let candidate = Candidate(
        place: Int32(clamping: segment.firstPlace + entry), row: UInt32(row), estimate: estimate)
      if estimate >= asked.records {
        list.append(candidate)
        hasPassed = true
      } else if !(best.estimate >= estimate) || best.estimate == -.infinity {
        best = candidate
      }
    }
    if !hasPassed { list.append(best) }
    return list
  }

  // MARK: Rows

  /// The entries of candidates with the exact scores of their best frames.
  private func compared(
    _ unit: [Float], _ candidates: [Candidate], kept: Int, _ bytes: UnsafeRawBufferPointer
  ) -> [Found] {
    let enough = Self.value(
      reachedBy: Double(max(Self.firstRows, 8 * kept)), of: candidates.map(\.estimate))
    var scores: [Int32: Float] = [:]
    func read(_ some: [Candidate]) -> [Float] {
      let values = cosines(some, unit, bytes)
      for (candidate, value) in zip(some, values) where !(scores[candidate.place, default: .nan] >= value) {
        scores[candidate.place] = value
      }
      return values
    }
    let first = candidates.filter { $0.estimate >= enough || !$0.estimate.isFinite }
    let values = read(first)
    if first.count < candidates.count {
      let errors = zip(first, values).map { $1 - $0.estimate }.filter(\.isFinite)
      let deviation = (errors.reduce(0) { $0 + $1 * $1 } / Float(max(1, errors.count))).squareRoot()
      var videos: [Int: Float] = [:]
      for (place, score) in scores where score.isFinite {
        videos[index.video(at: Int(place)), default: -.infinity].raise(to: score)
      }
      let best = videos.values.sorted(by: >)
      let least = best.count < kept ? -.infinity : best[kept - 1] - Self.deviations * deviation
      _ = read(candidates.filter { $0.estimate < enough && $0.estimate >= least })
    }
    var found = Self.ranked(scores.lazy.filter { !$0.value.isNaN }.map { (Int($0.key), $0.value) })
    // The best have all their frames compared, which are few.
    var left = rowsRead / 4
    let whole = found.prefix { found in
      let (segment, entry) = index.place(of: found.place)
      left -= segment.frames(entry).count
      return left >= 0
    }.prefix(2 * kept)
    let best = exact(whole.map(\.place), unit, bytes)
    for (number, score) in best.enumerated() where score > found[number].score {
      found[number].score = score
    }
    return Self.ranked(found)
  }

  /// No more candidates of one entry than `most`, those that look best: a long one does not take the place of all others.
  private static func spread(_ candidates: [Candidate], most: Int) -> [Candidate] {
    var spread: [Candidate] = []
    spread.reserveCapacity(candidates.count)
    var start = 0
    while start < candidates.count {
      var end = start + 1
      while end < candidates.count, candidates[end].place == candidates[start].place { end += 1 }
      let own = candidates[start..<end]
      if own.count <= most {
        spread += own
      } else {
        spread += own.sorted { $0.estimate > $1.estimate || $0.estimate == $1.estimate && $0.row < $1.row }
          .prefix(most)
      }
      start = end
    }
    return spread
  }

  /// The exact cosines of a query with candidates.
  private func cosines(_ some: [Candidate], _ unit: [Float], _ bytes: UnsafeRawBufferPointer) -> [Float] {
    let size = 32
    return [Float](unsafeUninitializedCapacity: some.count) { values, written in
      nonisolated(unsafe) let values = values
      scanner.forEach((some.count + size - 1) / size) { number in
        for i in number * size..<min(some.count, (number + 1) * size) {
          let row = Int(some[i].row)
          read(
            row..<row + 1, of: index.place(of: Int(some[i].place)).segment, unit, bytes,
            into: UnsafeMutableBufferPointer(rebasing: values[i..<i + 1]))
        }
      }
      written = some.count
    }
  }
}

extension Float {
  fileprivate mutating func raise(to other: Float) { self = max(self, other) }
}
