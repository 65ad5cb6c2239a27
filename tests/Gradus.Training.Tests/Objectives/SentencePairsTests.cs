using Gradus.Training.Data;
using Gradus.Training.Objectives;

namespace Gradus.Training.Tests.Objectives;

public sealed class SentencePairsTests
{
    private const int Classifier = 1, Separator = 2;

    [Theory]
    [InlineData(PairTask.NextSentence)]
    [InlineData(PairTask.SentenceOrder)]
    public void PairsAreWhatTheirClassSays(PairTask task)
    {
        SentencePairs source = Source(task, documents: 40);
        SentencePair[] pairs = [.. Enumerable.Range(0, 10).SelectMany(pass => source.Pairs(pass))];
        Assert.All(pairs, p =>
        {
            Assert.InRange(p.Ids.Length, 5, 64);
            int cut = Array.IndexOf(p.Ids, Separator);
            Assert.Equal((Classifier, Separator), (p.Ids[0], p.Ids[^1]));
            Assert.Equal(2, p.Ids.Count(id => id == Separator));
            Assert.Equal(p.Ids.Select((_, i) => i <= cut ? 0 : 1), p.TokenTypes);
            int[] first = p.Ids[1..cut], second = p.Ids[(cut + 1)..^1];
            Assert.True(first.Length > 0 && second.Length > 0);
            // Token 1000·d + i is the i-th of document d.
            bool sameDocument = first[0] / 1000 == second[0] / 1000;
            Assert.Equal((first[0] / 1000, second[0] / 1000), (first[^1] / 1000, second[^1] / 1000));
            if (task == PairTask.NextSentence)
                Assert.Equal(p.Class == 0, sameDocument);
            else
                Assert.Equal((true, p.Class == 0), (sameDocument, first[0] < second[0]));
        });
        double changed = pairs.Average(p => p.Class);
        // Chunks of one sentence have no second part of their own: more than half of the next sentences are not.
        Assert.InRange(changed, task == PairTask.NextSentence ? 0.5 : 0.44, task == PairTask.NextSentence ? 0.8 : 0.56);
        Assert.NotEqual(source.Pairs(0).Select(p => string.Join(' ', p.Ids)), source.Pairs(1).Select(p => string.Join(' ', p.Ids)));
    }

    [Fact]
    public void ABatchIsAFunctionOfItsNumber()
    {
        SentencePairs one = Source(PairTask.NextSentence, 12), other = Source(PairTask.NextSentence, 12);
        string[] inOrder = [.. Enumerable.Range(0, 40).Select(i => Text(one[i]))];
        string[] backwards = [.. Enumerable.Range(0, 40).Reverse().Select(i => Text(other[i]))];
        Assert.Equal(inOrder, backwards.Reverse());
        Assert.Equal(40, inOrder.Distinct().Count());

        static string Text(TaskBatch batch) => $"{string.Join(' ', batch.Tokens.Ids)} {string.Join(' ', batch.Targets[0].Classes!)} {string.Join(' ', batch.Targets[1].Classes!)}";
    }

    [Fact]
    public void TooFewDocumentsAreRefused() =>
        Assert.Contains("at least 2 documents", Assert.Throws<InvalidDataException>(() => Source(PairTask.NextSentence, 1)).Message, StringComparison.Ordinal);

    private static SentencePairs Source(PairTask task, int documents)
    {
        IReadOnlyList<int[]>[] all = [.. Enumerable.Range(1, documents).Select(d =>
        {
            int at = 0;
            return (IReadOnlyList<int[]>)[.. Enumerable.Range(0, 8).Select(s => Enumerable.Range(0, 3 + ((d * 7) + (s * 5)) % 17).Select(_ => (1000 * d) + at++).ToArray())];
        })];
        bool[] special = [.. Enumerable.Range(0, 1000 * (documents + 1)).Select(i => i < 10)];
        return new SentencePairs(all, new PairOptions(task, 64), new TokenMask(new MaskOptions(), new MaskVocabulary(3, special), 1), Classifier, Separator, 256, 2);
    }
}
