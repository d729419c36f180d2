/// A span of the prediction that METEOR matches with a span of the reference.
struct MeteorMatch {
  /// The index of the matcher that found it.
  var matcher: Int
  var prediction: Range<Int>
  var reference: Range<Int>
}

/// All matches between a prediction and a reference, before an alignment is chosen.
struct MeteorMatches {
  /// The matches that begin at each word of the reference.
  private(set) var byReferenceStart: [[MeteorMatch]]
  /// The number of matches that cover each word.
  private(set) var predictionCoverage: [Int]
  private(set) var referenceCoverage: [Int]

  init(predictionLength: Int, referenceLength: Int) {
    byReferenceStart = Array(repeating: [], count: referenceLength)
    predictionCoverage = Array(repeating: 0, count: predictionLength)
    referenceCoverage = Array(repeating: 0, count: referenceLength)
  }

  mutating func add(_ match: MeteorMatch) {
    byReferenceStart[match.reference.lowerBound].append(match)
    for word in match.prediction { predictionCoverage[word] += 1 }
    for word in match.reference { referenceCoverage[word] += 1 }
  }

  /// Returns whether no other match covers any of its words.
  func isUncontested(_ match: MeteorMatch) -> Bool {
    byReferenceStart[match.reference.lowerBound].count == 1
      && match.reference.allSatisfy { referenceCoverage[$0] == 1 }
      && match.prediction.allSatisfy { predictionCoverage[$0] == 1 }
  }
}
