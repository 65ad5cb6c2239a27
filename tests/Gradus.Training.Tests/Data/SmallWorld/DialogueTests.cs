using Gradus.Training.Data.SmallWorld;

namespace Gradus.Training.Tests.Data.SmallWorld;

public sealed class DialogueTests
{
    private static readonly DialogueSummary[] Train = [.. new SmallWorldGenerator(1).Dialogues(Split.Train, 6_000)];

    [Fact]
    public void ThousandsAreDistinctAndEveryPlotIsTold()
    {
        Assert.Equal(Train.Length, Train.Select(d => d.Dialogue).Distinct().Count());
        Assert.Equal(Train.Length, Train.Select(d => d.Summary).Distinct().Count());
        Assert.Equal(SmallWorldGenerator.DialoguePlots.Select(p => p.Name).Order(), Train.Select(d => d.Plot).Distinct().Order());
    }

    [Fact]
    public void TurnsAlternateAndStayShort()
    {
        Assert.All(Train, d =>
        {
            string[] turns = d.Dialogue.Split('\n');
            Assert.InRange(turns.Length, 4, 10);
            for (int i = 0; i < turns.Length; i++)
                Assert.StartsWith(d.Facts[i % 2 == 0 ? "A" : "B"] + ": ", turns[i]);
            Assert.NotEqual(d.Facts["A"], d.Facts["B"]);
            Assert.InRange(Words.Of(d.Dialogue).Length, 25, 110);
            Assert.InRange(Words.Of(d.Summary).Length, 8, 25);
        });
    }

    [Fact]
    public void EveryFactIsInTheSummaryAndCanBeReadFromTheDialogue()
    {
        Assert.All(Train, d => Assert.All(d.Facts, fact =>
        {
            Assert.Contains($" {string.Join(' ', Words.Of(fact.Value))} ", $" {string.Join(' ', Words.Of(d.Summary))} ");
            Assert.Contains($" {string.Join(' ', Words.Of(fact.Value))} ", $" {string.Join(' ', Words.Of(d.Dialogue))} ");
        }));
    }

    [Fact]
    public void NoOtherFactOfTheSameKindIsMentioned()
    {
        // Two places or days in one dialogue only where the summary names both: what to copy is never a guess.
        string[][] pools = [WordPools.Days, WordPools.Colors, [.. WordPools.Places.Select(p => p.Name)], [.. WordPools.People.Select(p => p.Name)]];
        Assert.All(Train, d =>
        {
            foreach (string[] pool in pools)
            {
                string[] dialogue = Words.Of(d.Dialogue), summary = Words.Of(d.Summary);
                IEnumerable<string> pooled = pool.Select(w => w.ToLowerInvariant());
                Assert.Equal(pooled.Where(summary.Contains), pooled.Where(dialogue.Contains));
            }
        });
    }

    [Fact]
    public void OneSummaryForAPlotAndItsFactsButManyDialogues()
    {
        var random = new SplitMix64(3);
        Assert.All(SmallWorldGenerator.DialoguePlots, plot =>
        {
            Facts facts = plot.DrawFacts(random);
            var told = Enumerable.Range(0, 40).Select(_ => plot.Tell(facts, random)).ToList();
            Assert.Single(told.Select(d => d.Summary).Distinct());
            Assert.InRange(told.Select(d => d.Dialogue).Distinct().Count(), 30, 40);
        });
    }

    [Fact]
    public void EveryVariantIsFilledAndGrammatical()
    {
        var random = new SplitMix64(4);
        string[] shared =
            [.. DialoguePlot.SmallTalk, .. DialoguePlot.SmallTalkAnswers, .. DialoguePlot.Greetings, .. DialoguePlot.GreetingAnswers];
        foreach (DialoguePlot plot in SmallWorldGenerator.DialoguePlots)
        {
            for (int draw = 0; draw < 30; draw++)
            {
                Facts facts = plot.DrawFacts(random);
                Assert.All([.. plot.Turns.SelectMany(t => t), .. shared, plot.Summary], text => Prose.Check(Template.Fill(text, facts.Slots)));
            }
        }
    }

    [Fact]
    public void HeldOutCombinationsOfFactsAreNotInTraining()
    {
        // Whatever the seeds, names and colors: the plot with its things, places, days, hours and reasons is new.
        static string Combination(DialogueSummary d) => d.Plot.Split('/')[0] + ": " +
            string.Join(", ", d.Facts.Where(f => f.Key is not ("A" or "B" or "C" or "color")).OrderBy(f => f.Key, StringComparer.Ordinal).Select(f => f.Value));

        var train = Train.Concat(new SmallWorldGenerator(2).Dialogues(Split.Train, 6_000)).Select(Combination).ToHashSet();
        var validation = new SmallWorldGenerator(1).Dialogues(Split.Validation, 1_000).Select(Combination).ToHashSet();
        var test = new SmallWorldGenerator(3).Dialogues(Split.Test, 1_000).Select(Combination).ToHashSet();
        Assert.Empty(test.Intersect(train));
        Assert.Empty(test.Intersect(validation));
        Assert.Empty(validation.Intersect(train));
        Assert.InRange(test.Count, 700, 1_000);
    }
}
