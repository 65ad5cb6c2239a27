namespace Gradus.Training.Data.SmallWorld;

/// <summary>Turns that close many dialogues. They name no facts.</summary>
internal static class Replies
{
    public static readonly string[] Thanks =
        ["Thank you so much!", "Great, thanks a lot!", "Thanks, you are very kind.", "Wonderful! Thank you."];

    public static readonly string[] Welcome = ["You're welcome!", "Any time.", "See you soon!", "Bye for now!"];

    public static readonly string[] Pity =
        ["That's okay. I understand.", "What a pity. But don't worry about it.", "Oh, that's too bad. Maybe another time."];

    public static readonly string[] Sorry = ["I'm really sorry.", "Thanks for understanding.", "Sorry again!"];
}
