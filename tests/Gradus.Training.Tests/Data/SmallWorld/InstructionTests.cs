using Gradus.Training.Data.SmallWorld;

namespace Gradus.Training.Tests.Data.SmallWorld;

public sealed class InstructionTests
{
    private static readonly InstructionExample[] Train = [.. new SmallWorldGenerator(1).Instructions(Split.Train, 6_000)];

    [Fact]
    public void AreDistinctAndComplete()
    {
        Assert.Equal(Train.Length, Train.Distinct().Count());
        Assert.All(Train, e =>
        {
            Prose.Check(e.Instruction);
            Prose.Check(e.Output);
            if (e.Input.Length > 0)
                Prose.Check(e.Input);
        });
    }

    [Fact]
    public void AnswersAreInTheStory()
    {
        // The words that an answer adds to those of the story and the question are few and of the answer's frame.
        string[] frame =
            ["the", "story", "is", "about", "it", "happened", "went", "at", "was", "helped", "a", "an", "wanted", "bought", "in", "trouble", "with", "lost", "broke", "belonged", "to", "and", "fixed", "together",
             "gave", "his", "her", "s", "birthday", "made", "noise", "had", "they", "both", "prize", "fell", "him", "cold", "wet", "shared", "learned", "showed", "how", "do", "found", "of"];
        IEnumerable<InstructionExample> questions = Train.Where(e => e.Input.Length > 0 && e.Instruction.EndsWith('?') && Words.Of(e.Output).Length < 12 && e.Instruction[0] == 'W');
        Assert.InRange(questions.Count(), 2_500, 6_000);
        Assert.All(questions, e => Assert.Empty(Words.Of(e.Output).Except(Words.Of(e.Input)).Except(Words.Of(e.Instruction)).Except(frame)));
    }

    [Fact]
    public void StoriesToWriteAreAboutWhatWasAskedFor()
    {
        var written = Train.Where(e => e.Input.Length == 0).ToList();
        Assert.InRange(written.Count, 500, 1_500);
        string[] frame = ["write", "tell", "me", "story", "short", "about", "a", "an", "and", "named", "at", "the"];
        Assert.All(written, e => Assert.Empty(Words.Of(e.Instruction).Except(Words.Of(e.Output)).Except(frame)));
    }

    [Fact]
    public void NoStoryIsInTwoParts()
    {
        static HashSet<string> Texts(Split split, int count) =>
            [.. new SmallWorldGenerator(1).Instructions(split, count).Where(e => e.Input.Length > 80).Select(e => e.Input)];

        HashSet<string> train = Texts(Split.Train, 6_000), validation = Texts(Split.Validation, 1_000), test = Texts(Split.Test, 1_000);
        Assert.Empty(test.Intersect(train));
        Assert.Empty(validation.Intersect(train));
        Assert.Empty(test.Intersect(validation));
    }
}
