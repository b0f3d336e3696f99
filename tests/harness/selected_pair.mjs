// Which way a page's media goes.

/**
 * The candidates of the pair that carries the media of a page's last peer connection, as its
 * statistics have them: `{ local, remote }`, each undefined while there is none.
 */
export function selectedPair(page) {
  return page.evaluate(async () => {
    const peer = window.whip?.peer ?? window.peers.at(-1);
    const statistics = await peer.getStats();
    const transport = [...statistics.values()].find(({ type }) => type === "transport");
    const pair = statistics.get(transport?.selectedCandidatePairId);
    const [local, remote] = [pair?.localCandidateId, pair?.remoteCandidateId];
    return { local: statistics.get(local), remote: statistics.get(remote) };
  });
}
