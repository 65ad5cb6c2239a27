using Gradus.Text.Chat;

namespace Gradus.Training.Data.SmallWorld;

/// <summary>
/// Conversations with the model itself: greetings, who it is and what it can do, questions about the words of its world, and
/// questions that it cannot answer, which it says. A question with facts belongs to one part of the data in all conversations.
/// </summary>
internal static class SmallTalk
{
    private const string Unknown = "I do not know that. I only know my small world of stories.";

    private static readonly Exchange[] Greetings =
    [
        new(["Hi!", "Hello!", "Hi there!", "Hello there!", "Good morning!", "Hey!", "Hi", "Hello", "Good day!"],
            "Hello! I am Gradus, a small language model. What would you like to know?"),
        new(["Hi! I am {name}.", "Hello, my name is {name}.", "Hi, I'm {name}!", "Good morning! My name is {name}."],
            "Hello {name}! I am Gradus, a small language model. What would you like to know?"),
    ];

    private static readonly Exchange[] AboutItself =
    [
        new(["Who are you?", "What are you?", "Tell me who you are.", "Please tell me who you are.", "What is your name?", "Tell me about yourself.", "And who are you?"],
            "I am Gradus, a small language model. I was trained on stories of a small world."),
        new(["What can you do?", "How can you help me?", "What are you good at?", "Tell me what you can do.", "What can I ask you?", "Can you help me?", "What do you know?"],
            "I can tell a story, answer questions about a story, and talk about my small world. I do not know much else."),
        new(["Are you a person?", "Are you human?", "Are you a real person?", "Am I talking to a human?", "Are you a machine?"],
            "No person, only a program: I am a small language model."),
        new(["How are you?", "How are you today?", "Are you well?", "How do you feel?"],
            "I am well, thank you. What would you like to know?"),
        new(["Who made you?", "Where do you come from?", "How were you made?", "Who trained you?", "What were you trained on?"],
            "You trained me with Gradus, on this machine, in a few minutes."),
    ];

    private static readonly Exchange[] Endings =
    [
        new(["Thanks!", "Thank you!", "Thank you very much.", "Thanks a lot!", "That was nice, thank you."], "You are welcome!"),
        new(["Bye!", "Goodbye!", "See you!", "I have to go now.", "Good night!"], "Goodbye! Come back soon."),
    ];

    private static readonly Exchange[] OfTheWorld =
    [
        new(["What do you do with {a noun}?", "What is {a noun} for?", "What can I do with {a noun}?", "How do you use {a noun}?", "Tell me what {a noun} is for."],
            "You {use} {a noun}."),
        new(["Where can I learn to {skill}?", "Where do people {skill}?", "Where can one {skill}?", "I want to {skill}. Where can I go?"],
            "You can {skill} at the {places}."),
        new(["Which day comes after {day}?", "What day is it after {day}?", "Tell me the day after {day}.", "Today is {day}. What day is tomorrow?"],
            "After {day} comes {next}."),
        new(["Which day comes before {next}?", "What day is it before {next}?", "Tell me the day before {next}.", "Today is {next}. What day was yesterday?"],
            "Before {next} comes {day}."),
        new(["Where can I buy {goods}?", "Where do you get {goods}?", "I need {goods}. Where can I buy some?", "Who sells {goods}?"],
            "You can buy {goods} at the farm, the market or the store."),
        new(["Is the {open} outside?", "Is the {open} under the sky?", "Am I outside at the {open}?"], "Yes, the {open} is outside."),
        new(["Is the {closed} outside?", "Is the {closed} under the sky?", "Am I outside at the {closed}?"], "No, the {closed} is inside."),
        new(["Is {a animal} an animal?", "What is {a animal}?", "Do you know what {a animal} is?"], "Yes, {a animal} is an animal."),
        new(["Is {a noun} an animal?", "Is {a noun} alive?", "Can {a noun} eat?"], "No, {a noun} is a thing."),
        new(["Is {color} a color?", "What is {color}?", "Do you know what {color} is?"], "Yes, {color} is a color."),
    ];

    private static readonly Exchange[] Beyond =
    [
        new(["What is the capital of {country}?", "Where is {country}?", "Who rules {country}?", "How many people live in {country}?", "Tell me about {country}.", "What do people eat in {country}?"], Unknown),
        new(["Who was {famous}?", "When was {famous} born?", "What did {famous} do?", "Tell me about {famous}."], Unknown),
        new(["What is {count} times {count2}?", "How much is {count} plus {count2}?", "Can you multiply {count} by {count2}?", "What is {count} minus {count2}?"], Unknown),
        new(["How far is the {sky}?", "How hot is the {sky}?", "How big is the {sky}?", "How old is the {sky}?", "What is the {sky} made of?"], Unknown),
        new(["What is {science}?", "How does {science} work?", "Explain {science} to me.", "Who invented {science}?", "Can you write {science} for me?"], Unknown),
        new(["What will the weather be on {day}?", "Who won the game on {day}?", "What is in the news of {day}?", "Which film is on at {hour} on {day}?"], Unknown),
        new(["How do you say {animal} in {tongue}?", "What is the {tongue} word for {animal}?", "Can you speak {tongue}?", "Say {goods} in {tongue}."], Unknown),
    ];

    private static readonly string[] Countries = ["France", "Spain", "Italy", "Japan", "China", "India", "Brazil", "Kenya", "Norway", "Canada", "Egypt", "Peru", "Greece", "Poland", "Germany", "Mexico"];

    private static readonly string[] Famous = ["Einstein", "Mozart", "Newton", "Napoleon", "Shakespeare", "Picasso", "Darwin", "Plato", "Lincoln", "Cleopatra", "Galileo", "Beethoven"];

    private static readonly string[] Sky = ["moon", "sun", "sky", "earth", "nearest star", "universe", "ocean", "North Pole"];

    private static readonly string[] Science = ["physics", "a computer", "an engine", "a rocket", "money", "a law", "an atom", "electricity", "the internet", "a program", "a contract", "a virus", "software", "history", "an email", "music theory"];

    private static readonly string[] Tongues = ["French", "Spanish", "German", "Latin", "Chinese", "Japanese", "Russian", "Greek"];

    /// <summary>Draws a conversation of one to three exchanges; null where its question belongs to another part.</summary>
    public static IReadOnlyList<ChatMessage>? Make(Split split, SplitMix64 random)
    {
        Dictionary<string, string> slots = Slots(random);
        List<ChatMessage> turns = [];
        // Without facts there is nothing to hold out; such conversations are trained on only.
        bool onlySmallTalk = split == Split.Train && random.OneIn(3);
        if (onlySmallTalk || random.OneIn(3))
            Add(turns, random.Pick(Greetings), slots, random);
        if (onlySmallTalk)
        {
            if (random.OneIn(4))
                turns.Clear();
            if (turns.Count == 0 || !random.OneIn(3))
                Add(turns, random.Pick(AboutItself), slots, random);
        }
        else
        {
            string question = Add(turns, random.Pick(random.OneIn(3) ? Beyond : OfTheWorld), slots, random);
            if (PartOf(question) != split)
                return null;
        }
        if (random.OneIn(4))
            Add(turns, random.Pick(Endings), slots, random);
        return turns;
    }

    private static Split PartOf(string question) =>
        (SplitMix64.Hash(question) % 10) switch { 0 => Split.Test, 1 => Split.Validation, _ => Split.Train };

    private static string Add(List<ChatMessage> turns, Exchange exchange, Dictionary<string, string> slots, SplitMix64 random)
    {
        string question = Template.Fill(random.Pick(exchange.Wordings), slots);
        turns.Add(new ChatMessage("user", question));
        turns.Add(new ChatMessage("assistant", Template.Fill(exchange.Answer, slots)));
        return question;
    }

    private static Dictionary<string, string> Slots(SplitMix64 random)
    {
        Thing thing = random.Pick(WordPools.Things);
        Skill skill = random.Pick(WordPools.Skills);
        int day = random.Next(WordPools.Days.Length);
        return new Dictionary<string, string>
        {
            ["name"] = random.Pick(WordPools.People).Name,
            ["noun"] = thing.Noun,
            ["use"] = thing.Use,
            ["skill"] = skill.Verb,
            ["places"] = Listed(skill.Places),
            ["day"] = WordPools.Days[day],
            ["next"] = WordPools.Days[(day + 1) % WordPools.Days.Length],
            ["hour"] = random.Pick(WordPools.Hours),
            ["goods"] = random.Pick(WordPools.Goods),
            ["open"] = random.Pick(WordPools.Places.Where(p => p.Has(PlaceTraits.Outdoor)).ToList()).Name,
            ["closed"] = random.Pick(WordPools.Places.Where(p => !p.Has(PlaceTraits.Outdoor)).ToList()).Name,
            ["animal"] = random.Pick(WordPools.Animals),
            ["color"] = random.Pick(WordPools.Colors),
            ["country"] = random.Pick(Countries),
            ["famous"] = random.Pick(Famous),
            ["sky"] = random.Pick(Sky),
            ["science"] = random.Pick(Science),
            ["tongue"] = random.Pick(Tongues),
            ["count"] = random.Pick(WordPools.Numbers),
            ["count2"] = random.Pick(WordPools.Numbers),
        };
    }

    // pool, the lake, the beach or the river
    private static string Listed(string[] places) => string.Join(", the ", places[..^1]) + " or the " + places[^1];

    /// <summary>What is asked, in several wordings, and the answer.</summary>
    private sealed record Exchange(string[] Wordings, string Answer);
}
