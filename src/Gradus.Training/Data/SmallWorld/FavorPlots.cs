namespace Gradus.Training.Data.SmallWorld;

/// <summary>Plots about helping: errands, pets, presents, lessons, rides and work.</summary>
internal static class FavorPlots
{
    private static readonly string[] AboutMyPet = ["Can we talk about my {pet}?", "I have a question about my {pet}.", "I'm worried about my {pet}."];

    private static readonly string[] DearPet = ["I love your {pet}! What is it?", "Your {pet} is so sweet. What happened?", "Oh, your {pet} is lovely. Tell me more."];

    private static readonly string[] FeedIt =
    [
        "I'll be at the {place} on {day}. Could you feed it?", "My family is at the {place} on {day}, so nobody is home. Can you feed it?",
        "On {day} we have a trip to the {place}. Could you feed the {pet}?",
    ];

    private static readonly string[] TooMuchWork =
        ["The {chore} is too much work for me alone.", "I have so much work with the {chore}.", "I'm working on the {chore}, and I can't do it alone."];

    private static readonly string[] CanIHelp = ["Oh, I see. When do you need help?", "You poor thing! When do you want to do it?", "That's hard. What day is it for?"];

    private static readonly string[] WorkOnDay = ["On {day}. Can you come?", "I want to do it on {day}. Do you have time?", "On {day}, I think. Could you help me?"];

    public static readonly DialoguePlot[] All =
    [
        new("buy", [Fact.Shop, Fact.TwoGoods, Fact.Hour],
            "{A} sends {B} to the {place} for {goods} and {goods2}. {B} returns by {hour}.",
            [
                ["Are you busy right now?", "Could you do something for me?", "Do you have time to help me?"],
                ["I have a little time. What is it?", "What can I do for you?", "Tell me what you need."],
                [
                    "We have no {goods} and no {goods2}. Could you go to the {place}?", "Please go to the {place} and get {goods} and {goods2}.",
                    "I need {goods} and {goods2} from the {place} for dinner.",
                ],
                ["Okay, {goods} and {goods2}. When do you need me back?", "Sure, I can walk to the {place}. When should I be home?", "Yes, of course. How much time do I have?"],
                ["Please be back by {hour}.", "We cook at {hour}, so come back before that.", "My {kin} comes at {hour}. Can you be back by then?"],
                ["No problem, I'll hurry.", "That's easy. I'll take my bike.", "Yes, I can do that."],
                Replies.Thanks,
            ]),
        new("feed/yes", [Fact.Pet, Fact.Sight, Fact.Day],
            "{B} feeds {A}'s {pet} on {day} while {A} visits the {place}.",
            [
                AboutMyPet, DearPet, FeedIt,
                ["Yes, of course! Where is the food?", "Sure, I'd love to feed the {pet}. Where is the food?", "No problem. Is there enough food?"],
                ["It's in the kitchen. One cup is enough.", "Everything is in the kitchen, next to the door.", "There is a box with food in the kitchen. Thank you!"],
                ["All right. Have fun at the {place}!", "Okay. Have a good trip!", "You're welcome. See you soon!"],
            ]),
        new("feed/no", [Fact.Pet, Fact.Sight, Fact.Day, Fact.ThirdPerson],
            "{A} visits the {place} on {day}. {B} suggests that {C} feed the {pet}.",
            [
                AboutMyPet, DearPet, FeedIt,
                ["I'm sorry, I don't have time on {day}. But you could call {C}.", "I can't, sorry. But {C} is good with animals.", "Sorry, I'm not at home then. Could you talk to {C}?"],
                ["Good idea. I'll call {C} right away.", "{C}? Yes, that could work. Thank you!", "All right, I'll talk to {C}."],
                Replies.Sorry,
            ]),
        new("gift", [Fact.Thing, Fact.Day, Fact.ThirdPerson],
            "{A} and {B} will buy {C} {a thing} on {day}.",
            [
                ["It's {C}'s birthday soon. Do you have an idea?", "We need a present for {C}. The birthday is soon!", "What can we give {C} for {C.his} birthday?"],
                ["How about {a thing}?", "I think {C} would like {a thing}.", "Maybe {a thing}? I know that {C} would love it."],
                ["{A thing}! That is great. When can we buy it?", "Good idea! When can we go and buy it?", "Yes, {C} would like that! When shall we buy it?"],
                ["On {day}, after lunch.", "I have time on {day}.", "Is {day} okay for you?"],
                ["{Day} is fine. I'll bring some money.", "Good, on {day}. But don't tell {C}!", "Yes, and I'll write a card."],
                ["It'll be a nice birthday.", "That's a good plan!", "Great! See you then."],
            ]),
        new("teach", [Fact.SkillAtPlace, Fact.Day],
            "{B} teaches {A} to {skill} at the {place} on {day}.",
            [
                ["You are so good at {skilling}!", "I saw you {skilling}. It was wonderful!", "I wish I could {skill} like you."],
                ["Thank you! Do you want to learn to {skill}?", "It isn't hard to {skill}. Would you like to try?", "Oh, thank you. Everyone can learn to {skill}."],
                ["I'd love to, but nobody can show me.", "Really? I have never tried.", "I tried once, but I was very bad."],
                ["I can show you. Come to the {place} on {day}.", "Let's start on {day}. We can meet at the {place}.", "I'll be at the {place} on {day}. I can show you there."],
                ["Great, I'll come to the {place}!", "Yes, please! {Day} is great.", "Really? I'm so happy!"],
                ["It'll be a lot of fun.", "You'll learn fast.", "See you on {day}!"],
            ]),
        new("ride", [Fact.Place, Fact.Day, Fact.Hour],
            "{B} drives {A} to the {place} on {day} at {hour}.",
            [
                ["I have to be at the {place} on {day}, but there is no bus.", "How can I get to the {place} on {day}?", "I have to go to the {place} on {day}, and it is so far."],
                ["I can drive you. When should I come?", "You can come with me. When do you want to go?", "We can take my car. What time do you want to go?"],
                ["At {hour}, if you can.", "Is {hour} okay?", "I'd like to go at {hour}."],
                ["{Hour} is fine. I'll be at your door.", "That's no problem. I'll be there.", "Sure. Be ready when I come."],
                Replies.Thanks, Replies.Welcome,
            ]),
        new("work/yes", [Fact.Chore, Fact.Day, Fact.Hour],
            "{B} helps {A} with the {chore} on {day} at {hour}.",
            [
                TooMuchWork, CanIHelp, WorkOnDay,
                ["Yes, I can come at {hour}.", "Sure. I'll be there at {hour}.", "Of course. Is {hour} okay?"],
                Replies.Thanks, Replies.Welcome,
            ]),
        new("work/no", [Fact.Chore, Fact.Day, Fact.Reason],
            "{A} needs {B} for the {chore} on {day}, but {B} has a {reason}.",
            [
                TooMuchWork, CanIHelp, WorkOnDay,
                ["Oh, I can't on {day}. {Reasonline}", "I'm sorry, I can't come on {day}. {Reasonline}", "I would love to help, but I can't. {Reasonline}"],
                Replies.Pity, Replies.Sorry,
            ]),
    ];
}
