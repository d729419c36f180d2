import Testing

/// Pairs the elements of two lists by their places.
///
/// Lists of unequal lengths fail the test, where `zip` would drop the rest.
public func paired<A: Collection, B: Collection>(
  _ a: A, _ b: B, sourceLocation: SourceLocation = #_sourceLocation
) -> Zip2Sequence<A, B> {
  #expect(a.count == b.count, sourceLocation: sourceLocation)
  return zip(a, b)
}
