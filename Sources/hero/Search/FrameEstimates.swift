import Engine

/// Estimates from codes which frames of an index may fit queries best.
///
/// If an index has more rows than may be read, the search reads the signs of all frames where the
/// query is large. Then it reads the records of the frames whose signs look best.
struct FrameEstimates: Sendable {
  private let index: IndexFile
  private let scanner: RowScanner
  /// The number of frames whose rows are to be read.
  private let rowsRead: Int
  /// The parts of the index that threads process one by one.
  private let stretches: [Stretch]
  private let samples: [Stretch]

  /// A part of one segment: blocks of frames, or entries where codes have an older version.
  ///
  /// A sample is one step of a block.
  private struct Stretch: Hashable {
    var segment: Int
    var parts: Range<Int>
    var step: Int?
  }

  private static let entriesAStretch = 64
  /// The number of steps of frames that are sampled to set the thresholds.
  private static let sampled = 64
  /// The share of an index's records to read for each row that may be read: `part`, or `least`
  /// records if that is more.
  ///
  /// As it is a share, a larger index loses no more of the best frames.
  private static let recordsARow = (least: 4.0, part: 1e-6)
  /// Signs are not read if more than this share of the records would be read.
  private static let partWithoutSigns = 0.3

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

  /// Returns samples spread evenly over the index.
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

  /// A query with the thresholds above which frames' records and rows are read.
  ///
  /// A threshold of −∞ lets every frame pass.
  struct Asked {
    let unit: [Float]
    fileprivate let query: CodedQuery
    fileprivate var signs = -Float.infinity
    fileprivate var records = -Float.infinity
  }

  /// A frame whose row may be read.
  struct Candidate {
    var place: Int32
    /// The row within its segment.
    var row: UInt32
    var estimate: Float
  }

  /// Whether there are so few entries that the best frame of each is compared.
  private var comparesEach: Bool { index.places <= rowsRead }

  func ask(_ unit: [Float], most: Int, _ bytes: UnsafeRawBufferPointer) -> Asked {
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

  /// Returns the estimates of a sample, with a limit for each entry.
  ///
  /// An entry keeps its best estimates: at most `most`, in proportion to its frames in the sample.
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

  /// Returns the threshold that `wanted` of the values reach.
  static func value(reachedBy wanted: Double, of values: [Float]) -> Float {
    // Estimates of cosines are clamped, as a damaged file may contain any number.
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

  /// Returns the rows of a block, of a step of a block, or of entries.
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

  /// Estimates cosines from the signs of a block, or of a step of a block.
  /// - Returns: the rows that were estimated.
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

  /// Calls `body` in order with the row and estimate of each frame whose record is read.
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
      // The first frame of the step within its block.
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

  /// Writes the numbers of the frames that pass by their signs, and returns how many there are.
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

  /// Returns the frames whose rows may be read for each query, in the order of the index.
  ///
  /// One pass answers all queries.
  func candidates(_ asked: [Asked], _ bytes: UnsafeRawBufferPointer) -> [[Candidate]] {
    var lists = [[[Candidate]]](repeating: [], count: stretches.count)
    lists.withUnsafeMutableBufferPointer { lists in
      // Each thread writes lists of its own.
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
    // The best frame of an entry of which no frame has passed.
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
}
