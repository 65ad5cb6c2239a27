namespace Gradus.Training.Data.SmallWorld;

/// <summary>
/// Instructions about a story: questions that it answers, writing one, continuing one. Never a summary of a dialogue, which is
/// what is left for fine-tuning to learn.
/// </summary>
internal static class InstructionTasks
{
    private static readonly Question[] AnyStory =
    [
        new(["Who is the story about?", "Who is the hero of the story?"], "The story is about {hero}."),
        new(["Where did {hero} go?", "Which place did {hero} go to?"], "{Hero} went to the {place}."),
        new(["Where did it happen?", "Where did the story happen?"], "It happened at the {place}."),
        new(["What color was the {noun}?", "Which color did the {noun} have?"], "The {noun} was {color}."),
        new(["Who was {hero}?", "What was {hero} like?"], "{Hero} was {a trait} {kind}."),
    ];

    private static readonly string[] HowItEnds = ["How does the story end?", "What happened in the end?", "Tell me the end of the story."];

    private static readonly string[] Continue = ["Continue the story.", "What happened next?", "Finish the story."];

    private static readonly string[] Write =
    [
        "Write a story about {a kind} and {a noun}.", "Tell me a story about {hero} and {a thing}.",
        "Write a short story about {a kind} named {hero}.", "Tell me a story about {a noun} at the {place}.",
    ];

    public static InstructionExample Make(Story story, SplitMix64 random)
    {
        Dictionary<string, string> slots = story.Facts.Slots;
        switch (random.Next(20))
        {
            case < 4:
                return Ask(random.Pick(AnyStory), story, random);
            case < 10:
                return Ask(random.Pick(story.Plot.Questions), story, random);
            case < 14:
                return new InstructionExample(random.Pick(HowItEnds), story.Text, story.Passages[^1]);
            case < 17:
                return new InstructionExample(Template.Fill(random.Pick(Write), slots), "", story.Text);
            default:
                int told = 2 + random.Next(story.Passages.Length - 3);
                return new InstructionExample(
                    random.Pick(Continue), string.Join(' ', story.Passages[..told]), string.Join(' ', story.Passages[told..]));
        }
    }

    private static InstructionExample Ask(Question question, Story story, SplitMix64 random) =>
        new(Template.Fill(random.Pick(question.Wordings), story.Facts.Slots), story.Text, Template.Fill(question.Answer, story.Facts.Slots));
}
