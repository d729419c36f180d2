import Corpus
import Formats

/// Ranks the moments of an index of CLIP's rows for a query.
///
/// Pictures rank by the cosine of their rows with the query's (`FrameRuns` forms moments of them),
/// speech by BM25 (`SpokenSearch`). Reciprocal rank fusion joins the two lists (Cormack et al.,
/// SIGIR 2009). A moment's score is the sum of 1 / (60 + rank) over the lists that contain it.
/// Subtitles that overlap a moment of pictures belong to that moment.
struct CLIPRanking: Sendable {
  let videos: IndexedVideos
  let runs: FrameRuns
  let spoken: SpokenSearch

  private var index: IndexFile { videos.index }

  /// The constant of reciprocal rank fusion.
  static let k = 60
  /// The number of videos whose moments are ranked, and of moments of a list that are joined.
  private static let kept = (videos: 100, moments: 200)

  /// Reads the subtitles of an index.
  ///
  /// - Parameter rowsRead: see `IndexedVideos`.
  /// - Throws: `DataError` where a video's subtitles cannot be read.
  init(_ index: IndexFile, rowsRead: Int) throws {
    videos = IndexedVideos(index, rowsRead: rowsRead)
    runs = FrameRuns(frameInterval: index.head.frameInterval)
    spoken = try SpokenSearch(index)
  }

  /// Returns the best moments, best first.
  /// - Parameter unit: the row of the query, of unit length.
  func find(_ query: String, _ unit: [Float], limit: Int) throws -> [FoundMoment] {
    guard index.count > 0 else { return [] }
    let joined = Self.join(try shown(unit), spoken.find(query, limit: Self.kept.moments))
    var known: [Int: IndexedVideo] = [:]
    return try joined.prefix(max(0, limit)).map { found in
      let video = try known[found.video] ?? index.video(found.video)
      known[found.video] = video
      return FoundMoment(
        number: found.video, video: video, start: found.start,
        end: video.duration > found.start ? min(found.end, video.duration) : found.end,
        score: found.score, evidence: found.evidence)
    }
  }

  /// Returns the moments ranked by their pictures, best first.
  private func shown(_ unit: [Float]) throws -> [SpokenSearch.Found] {
    let interval = index.head.frameInterval
    let best = try videos.best([unit], kept: Self.kept.videos)[0]
    var seen: Set<Int> = []
    var moments: [SpokenSearch.Found] = []
    for (place, _) in best where seen.count < Self.kept.videos {
      let video = videos.number(of: place)
      guard seen.insert(video).inserted else { continue }
      for run in runs.runs(try videos.cosines(unit, video: video)) {
        moments.append(
          SpokenSearch.Found(
            video: video, start: Double(run.frames.lowerBound) * interval,
            end: Double(run.frames.upperBound) * interval, score: run.score))
      }
    }
    return Array(
      moments.sorted {
        ($0.score, Double($1.video), $1.start) > ($1.score, Double($0.video), $0.start)
      }.prefix(Self.kept.moments))
  }

  struct Joined {
    var video: Int
    var start: Double
    var end: Double
    var score: Float
    var evidence: FoundMoment.Evidence
  }

  /// Joins both lists into one.
  static func join(_ pictures: [SpokenSearch.Found], _ subtitles: [SpokenSearch.Found]) -> [Joined] {
    func part(_ rank: Int) -> Float { 1 / Float(k + rank) }
    var joined = pictures.enumerated().map { place, found in
      Joined(
        video: found.video, start: found.start, end: found.end, score: part(place + 1),
        evidence: FoundMoment.Evidence(cosine: found.score, pictureRank: place + 1))
    }
    let byVideo = Dictionary(grouping: joined.indices) { joined[$0].video }
    for (place, said) in subtitles.enumerated() {
      let same = byVideo[said.video]?.first { number in
        joined[number].evidence.subtitleRank == nil && joined[number].start < said.end
          && joined[number].end > said.start
      }
      if let same {
        joined[same].score += part(place + 1)
        joined[same].evidence.bm25 = said.score
        joined[same].evidence.subtitleRank = place + 1
      } else {
        joined.append(
          Joined(
            video: said.video, start: said.start, end: said.end, score: part(place + 1),
            evidence: FoundMoment.Evidence(bm25: said.score, subtitleRank: place + 1)))
      }
    }
    // Of equal moments, those found by their pictures come first.
    return joined.enumerated().sorted {
      $0.element.score > $1.element.score || $0.element.score == $1.element.score && $0.offset < $1.offset
    }.map(\.element)
  }
}
