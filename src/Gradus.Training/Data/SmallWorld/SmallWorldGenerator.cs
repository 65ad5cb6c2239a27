using Gradus.Text.Chat;

namespace Gradus.Training.Data.SmallWorld;

/// <summary>
/// A seeded generator of small stories, two-person dialogues with their summaries, instructions about stories, and conversations
/// with the model itself: the data that the quickstart runs on, written by this project.
/// </summary>
/// <remarks>
/// The same seed gives the same text on every platform. Every enumeration starts anew, gives distinct items only, and gives the
/// same items first whatever the count. A combination of facts (for a story: schema, hero, thing and place; for a dialogue:
/// plot and everything but the names and colors) belongs to one part for every seed, so nothing in the test part was seen in
/// training, whatever the seeds of the two. Stories are in the past tense and dialogues speak in the first and second person;
/// the summary of every plot has words that occur in neither.
/// Leaves out: noise, wrong answers, more than two speakers, and anything that a summary would have to infer.
/// </remarks>
/// <param name="seed">The seed of everything that is drawn.</param>
public sealed class SmallWorldGenerator(ulong seed)
{
    internal static readonly StoryPlot[] StoryPlots = [.. SingleHeroPlots.All, .. TwoHeroPlots.All];

    internal static readonly DialoguePlot[] DialoguePlots = [.. ThingPlots.All, .. MeetingPlots.All, .. FavorPlots.All];

    private const ulong StoryStream = 1;
    private const ulong DialogueStream = 2;
    private const ulong InstructionStream = 3;
    private const ulong ConversationStream = 4;

    /// <summary>Stories of six to fifteen short sentences, mostly eight to ten, each one paragraph.</summary>
    /// <param name="split">The part of the data set.</param>
    /// <param name="count">How many, 0 or more: up to some hundred thousand.</param>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="count"/> is negative.</exception>
    public IEnumerable<string> Stories(Split split, int count) =>
        ToldStories(split, count).Select(story => story.Text);

    /// <summary>Dialogues with their summaries.</summary>
    /// <param name="split">The part of the data set.</param>
    /// <param name="count">How many, 0 or more: up to some hundred thousand; no two have the same plot and facts.</param>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="count"/> is negative.</exception>
    public IEnumerable<DialogueSummary> Dialogues(Split split, int count) =>
        Distinct(DialogueStream, split, count, random => Talk(split, random), dialogue => dialogue.Summary);

    /// <summary>Questions about stories with their answers, stories to write and stories to continue.</summary>
    /// <param name="split">The part of the data set.</param>
    /// <param name="count">How many, 0 or more: up to some hundred thousand.</param>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="count"/> is negative.</exception>
    public IEnumerable<InstructionExample> Instructions(Split split, int count) =>
        Distinct(
            InstructionStream, split, count,
            random => Tell(split, random) is { } story ? InstructionTasks.Make(story, random) : null,
            example => example.Instruction + '\n' + example.Input + '\n' + example.Output);

    /// <summary>
    /// Conversations with the model itself, of one to three questions and answers: who it is, what it can do, what it knows of its
    /// world, and that it does not know the rest. A question with facts belongs to one part; small talk is for training only.
    /// </summary>
    /// <param name="split">The part of the data set.</param>
    /// <param name="count">How many, 0 or more: up to some tens of thousands.</param>
    /// <returns>The messages of each, of the roles <c>user</c> and <c>assistant</c> in turn.</returns>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="count"/> is negative.</exception>
    public IEnumerable<IReadOnlyList<ChatMessage>> Conversations(Split split, int count) =>
        Distinct(ConversationStream, split, count, random => SmallTalk.Make(split, random), talk => string.Join('\n', talk.Select(m => m.Text)));

    /// <summary>The stories with their facts.</summary>
    internal IEnumerable<Story> ToldStories(Split split, int count) =>
        Distinct(StoryStream, split, count, random => Tell(split, random), story => story.Text);

    // Null where the facts belong to another part: the caller draws again.
    private static Story? Tell(Split split, SplitMix64 random)
    {
        StoryPlot plot = random.Pick(StoryPlots);
        Facts facts = plot.DrawFacts(random);
        return facts.Split == split ? plot.Tell(facts, random) : null;
    }

    private static DialogueSummary? Talk(Split split, SplitMix64 random)
    {
        DialoguePlot plot = random.Pick(DialoguePlots);
        Facts facts = plot.DrawFacts(random);
        return facts.Split == split ? plot.Tell(facts, random) : null;
    }

    private IEnumerable<T> Distinct<T>(ulong stream, Split split, int count, Func<SplitMix64, T?> draw, Func<T, string> identity)
        where T : class
    {
        ArgumentOutOfRangeException.ThrowIfNegative(count);
        ulong streamSeed = SplitMix64.Mix(seed + SplitMix64.Mix((stream << 8) + (ulong)split));
        return Draw();

        IEnumerable<T> Draw()
        {
            var random = new SplitMix64(streamSeed);
            var seen = new HashSet<string>(StringComparer.Ordinal);
            while (seen.Count < count)
            {
                if (draw(random) is { } item && seen.Add(identity(item)))
                    yield return item;
            }
        }
    }
}
