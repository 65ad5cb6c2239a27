using Gradus.Text.Chat;
using Gradus.Training.Data.SmallWorld;

namespace Gradus.Training.Tests.Data.SmallWorld;

public sealed class ConversationTests
{
    private static readonly IReadOnlyList<ChatMessage>[] Train = [.. new SmallWorldGenerator(1).Conversations(Split.Train, 4_000)];

    [Fact]
    public void UserAndAssistantSpeakInTurn()
    {
        Assert.Equal(Train.Length, Train.Select(Text).Distinct().Count());
        Assert.All(Train, talk =>
        {
            Assert.InRange(talk.Count, 2, 6);
            for (int i = 0; i < talk.Count; i++)
            {
                Assert.Equal(i % 2 == 0 ? "user" : "assistant", talk[i].Role);
                Assert.False(string.IsNullOrWhiteSpace(talk[i].Text));
                Assert.DoesNotContain('{', talk[i].Text!);
            }
        });
    }

    [Fact]
    public void ATrainedModelHasSeenEveryKindOfAnswer()
    {
        string[] answers = [.. Train.SelectMany(t => t).Where(m => m.Role == "assistant").Select(m => m.Text!)];
        string[] kinds = ["Hello! I am Gradus", "stories of a small world.", "I can tell a story", "only a program", "I am well", "You trained me", "You are welcome", "Goodbye!",
            "You fly a kite.", "You can swim at the pool, the lake, the beach or the river.", "After Monday comes Tuesday.", "Before Monday comes Sunday.", "at the farm, the market or the store.",
            "is outside.", "is inside.", "is an animal.", "is a thing.", "is a color.", "I do not know that."];
        Assert.All(kinds, kind => Assert.Contains(answers, a => a.Contains(kind, StringComparison.Ordinal)));
    }

    [Fact]
    public void AQuestionWithFactsIsInOnePart()
    {
        // Greetings, thanks and questions about the model itself come in every part; they hold no facts of the world.
        static HashSet<string> Questions(Split split, int count) =>
            [.. new SmallWorldGenerator(1).Conversations(split, count).Select(talk => talk.Where(m => m.Role == "user").Select(m => m.Text!))
                .SelectMany(q => q.Where(t => t.EndsWith('?') && !t.Contains("you", StringComparison.OrdinalIgnoreCase)))];

        HashSet<string> train = Questions(Split.Train, 4_000), validation = Questions(Split.Validation, 300), test = Questions(Split.Test, 300);
        Assert.InRange(test.Count, 40, 300);
        Assert.Empty(test.Intersect(train));
        Assert.Empty(validation.Intersect(train));
        Assert.Empty(test.Intersect(validation));
    }

    [Fact]
    public void EveryHeldOutConversationAsksOneQuestionAboutTheWorld() =>
        Assert.All(new SmallWorldGenerator(1).Conversations(Split.Test, 300), talk => Assert.Contains(talk, m => m.Role == "user" && (m.Text!.EndsWith('?') || m.Text.EndsWith('.'))));

    private static string Text(IReadOnlyList<ChatMessage> talk) => string.Join('\n', talk.Select(m => m.Text));
}
