import Formats

extension RetrievalResults {
  /// Returns whether a JSON object is a result file of retrieval: one with a list for a ranking.
  public static func recognizes(_ json: JSON) -> Bool {
    Ranking.allCases.contains { json[$0.rawValue]?.array != nil }
  }

  /// Reads a result file: TVR's with video names and scores, or VALUE's with neither.
  ///
  ///     {"video2idx": {"castle_s01": 0},
  ///      "VCMR": [{"desc_id": 1, "predictions": [[0, 4.5, 13.5, 7.29]]}]}
  ///     {"VCMR": [{"desc_id": 1, "predictions": [[0, 4.5, 13.5]]}],
  ///      "VR": [{"desc_id": "1", "predictions": [0, 7]}]}
  ///
  /// Predictions without a score rank by their place.
  ///
  /// - Parameters:
  ///   - json: the file's content.
  ///   - numbers: the videos' numbers, for files that do not name the videos.
  /// - Throws: `DataError` for rows of another form, and if the videos' numbers are missing or
  ///   shared.
  public init(json: JSON, numbers: [Name: Int]?) throws {
    var index = numbers
    if let named = json["video2idx"]?.object {
      index = [:]
      var owners: [Int: String] = [:]
      for (name, number) in named {
        guard let number = number.whole else {
          throw DataError("\"video2idx\" gives \(number.shown) for \"\(name)\", not a number")
        }
        if let other = owners.updateValue(name, forKey: number) {
          throw DataError(
            "\"video2idx\" gives \(other.spelled) and \(name.spelled) one number, \(number)",
            cure: "Number the videos each by its own, and predict again")
        }
        index?[name] = number
      }
    }
    guard let index else {
      throw DataError(
        "has no \"video2idx\", so that its videos' numbers mean nothing",
        cure: "Give --vid2dur-idx the list that the predictions were made with, and --split")
    }
    self.init(videoIndex: index, rankings: [])
    for ranking in Ranking.allCases {
      guard let rows = json[ranking.rawValue]?.array else { continue }
      var seen = Set<QueryID>()
      let queries = try rows.enumerated().map { place, row in
        try DataError.locating(place: "\(ranking.rawValue), row \(place + 1)") {
          let query = try Self.query(row)
          guard seen.insert(query.id).inserted else {
            throw DataError("query \(query.id) has two predictions", cure: "Keep one of them")
          }
          return query
        }
      }
      rankings.append((ranking, queries))
    }
  }

  private static func query(_ row: JSON) throws -> QueryPredictions {
    let id = try QueryID(in: row, "desc_id", "sen_id", "qid")
    guard let list = row["predictions"]?.array else {
      throw DataError("\"predictions\" is no list", place: "query \(id)")
    }
    return QueryPredictions(
      id: id,
      predictions: try list.enumerated().map { place, entry in
        guard let prediction = MomentPrediction(entry, place: place) else {
          throw DataError(
            "a prediction is \(entry.shown), not [video, start, end, score] or a video's number",
            place: "query \(id)")
        }
        return prediction
      })
  }
}

extension MomentPrediction {
  /// - Parameter place: the place of the prediction in its list. Its negative is the score if there
  ///   is none.
  fileprivate init?(_ entry: JSON, place: Int) {
    if let video = entry.whole {
      self.init(video: video, score: -Float(place))
      return
    }
    guard let row = entry.array, (1...4).contains(row.count), row.count != 2, let video = row[0].whole else {
      return nil
    }
    let numbers = row.dropFirst().map(\.double)
    guard numbers.allSatisfy({ $0.map(TimeSpan.isTime) ?? false }) else { return nil }
    let values = numbers.compactMap { $0.map(Float.init) }
    self.init(
      video: video, start: values.first ?? 0, end: values.count > 1 ? values[1] : 0,
      score: values.count > 2 ? values[2] : -Float(place))
  }
}
