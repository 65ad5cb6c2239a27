using Gradus.Training.Data.SmallWorld;

namespace Gradus.Training.Tests.Data.SmallWorld;

/// <summary>
/// What makes a ROUGE-L of 0.60 mean something: pre-training text does not read like a summary, a summary with the right
/// plot and the wrong facts stays below 0.60, and the words are few enough for a small model.
/// </summary>
public sealed class RegisterTests
{
    private static readonly string[] Stories = [.. new SmallWorldGenerator(1).Stories(Split.Train, 6_000)];
    private static readonly DialogueSummary[] Dialogues = [.. new SmallWorldGenerator(1).Dialogues(Split.Train, 6_000)];
    private static readonly HashSet<string> Seen = [.. Stories.Concat(Dialogues.Select(d => d.Dialogue)).SelectMany(Words.Of)];

    [Fact]
    public void VocabularyIsSmallAndShared()
    {
        var summaries = Dialogues.SelectMany(d => Words.Of(d.Summary)).ToHashSet();
        Assert.InRange(Seen.Union(summaries).Count(), 600, 1_000);

        // Every word that a summary copies occurs often in pre-training.
        Dictionary<string, int> counts = Stories.Concat(Dialogues.Select(d => d.Dialogue)).SelectMany(Words.Of).CountBy(w => w).ToDictionary();
        IEnumerable<string> copied = Dialogues.SelectMany(d => d.Facts.Values).Distinct().SelectMany(Words.Of).Distinct();
        Assert.All(copied, word => Assert.True(counts[word] >= 25, $"{word} occurs {counts[word]} times"));
    }

    [Fact]
    public void EveryPlotHasSummaryWordsThatPretrainingNeverSees()
    {
        Assert.All(Dialogues.GroupBy(d => d.Plot), plot =>
            Assert.NotEmpty(Words.Of(plot.First().Summary).Except(Seen)));
    }

    [Fact]
    public void PretrainingTextIsNoSummary()
    {
        DialogueSummary[] test = [.. new SmallWorldGenerator(1).Dialogues(Split.Test, 300)];
        double best = 0;
        for (int i = 0; i < test.Length; i++)
        {
            string story = Stories[i], dialogue = Dialogues[i].Dialogue;
            string[] continuations = [story, Start(story), dialogue, Start(dialogue)];
            best += continuations.Max(c => Words.RougeL(c, test[i].Summary)) / test.Length;
        }
        Assert.InRange(best, 0, 0.15);

        static string Start(string text) => string.Join(' ', text.Split(' ').Take(30));
    }

    [Fact]
    public void RightPlotWithWrongFactsIsNotEnough()
    {
        double wrong = Dialogues.GroupBy(d => d.Plot)
            .Average(plot => plot.Zip(plot.Skip(1)).Take(50).Average(pair => Words.RougeL(pair.First.Summary, pair.Second.Summary)));
        Assert.InRange(wrong, 0.3, 0.58);
    }
}
