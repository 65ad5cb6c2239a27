using Gradus.Training.Data.SmallWorld;

namespace Gradus.Training.Tests.Data.SmallWorld;

public sealed class StoryTests
{
    private static readonly Story[] Train = [.. new SmallWorldGenerator(1).ToldStories(Split.Train, 20_000)];

    [Fact]
    public void TwentyThousandAreDistinctAndEveryPlotIsTold()
    {
        Assert.Equal(Train.Length, Train.Select(s => s.Text).Distinct().Count());
        Assert.Equal(SmallWorldGenerator.StoryPlots.Length, Train.Select(s => s.Plot.Name).Distinct().Count());
        Assert.All(Train, s => Assert.InRange(Words.Of(s.Text).Length, 35, 125));
        Assert.InRange(Train.Average(s => Words.Of(s.Text).Length), 60, 90);
    }

    [Fact]
    public void HeroThingAndPlaceAreNamedAndCarriedThrough()
    {
        Assert.All(Train, s =>
        {
            string[] words = Words.Of(s.Text);
            Assert.All(["hero", "noun", "color", "place"], slot => Assert.Contains(Words.Of(s.Facts.Slots[slot])[0], words));
            Assert.InRange(words.Count(w => w == Words.Of(s.Facts.Slots["hero"])[0]), 1, 15);
            Assert.InRange(words.Count(w => w == s.Facts.Slots["noun"]), 2, 15);
        });
    }

    [Fact]
    public void EveryVariantIsFilledAndGrammatical()
    {
        var random = new SplitMix64(4);
        foreach (StoryPlot plot in SmallWorldGenerator.StoryPlots)
        {
            for (int draw = 0; draw < 50; draw++)
            {
                Facts facts = plot.DrawFacts(random);
                IEnumerable<string> texts = StoryPlot.Openings.Concat(plot.Beats.SelectMany(b => b).Where(t => t.Length > 0))
                    .Concat(plot.Questions.SelectMany(q => q.Wordings.Append(q.Answer)));
                Assert.All(texts, text => Prose.Check(Template.Fill(text, facts.Slots)));
            }
        }
    }

    [Fact]
    public void HeldOutCombinationsOfFactsAreNotInTraining()
    {
        static string Combination(Story s) => $"{s.Plot.Name}: {s.Facts.Slots["hero"]}, {s.Facts.Slots["noun"]}, {s.Facts.Slots["place"]}";

        var train = Train.Select(Combination).ToHashSet();
        var validation = new SmallWorldGenerator(2).ToldStories(Split.Validation, 2_000).Select(Combination).ToHashSet();
        var test = new SmallWorldGenerator(3).ToldStories(Split.Test, 2_000).Select(Combination).ToHashSet();
        Assert.Empty(test.Intersect(train));
        Assert.Empty(test.Intersect(validation));
        Assert.Empty(validation.Intersect(train));
    }
}
