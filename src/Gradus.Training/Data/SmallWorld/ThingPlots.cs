namespace Gradus.Training.Data.SmallWorld;

/// <summary>
/// The plots of the dialogues. Every summary is carried by words ("asks", "agrees", "will", "offers" …) that are never said
/// in a dialogue, so a model that has only read dialogues does not write summaries. This file: plots about things.
/// </summary>
internal static class ThingPlots
{
    private static readonly string[] StillHave =
    [
        "Do you still have the {thing}?", "Is the {thing} with you?", "Do you know where the {thing} is?",
        "I am looking for the {thing}. Do you have it?",
    ];

    private static readonly string[] HaveIt =
    [
        "Yes, it is in my room. Why?", "Yes, I have it here. What is it for?", "Yes, it is at my house. Do you need it?",
    ];

    private static readonly string[] BringIt =
    [
        "Could you bring the {noun} to the {place} on {day}?", "We need it at the {place} on {day}. Can you bring it?",
        "I'm going to the {place} on {day}. Could you bring the {noun}?",
        "We are all at the {place} on {day}. Please bring it with you.",
    ];

    private static readonly string[] BorrowIt =
        ["Could I borrow your {thing}?", "Can you lend me your {thing} for a while?", "I love your {thing}. May I borrow it?"];

    private static readonly string[] HowLong = ["Maybe. How long do you need it?", "When can I have it back?", "For how long?"];

    private static readonly string[] UntilDay = ["Only until {day}.", "Until {day}, if that is okay.", "I can give the {noun} back on {day}."];

    private static readonly string[] SellIt =
        ["I don't use my {thing} anymore. Do you want it?", "Would you like to have my {thing}?", "I want to sell my {thing}. Do you like it?"];

    private static readonly string[] HowMuch =
        ["Maybe! How much is it?", "It's very nice. How much do you want for it?", "I was just looking for {a noun}. How much is it?"];

    private static readonly string[] ThePrice = ["{Number} dollars.", "You can have the {noun} for {number} dollars.", "Is {number} dollars okay?"];

    public static readonly DialoguePlot[] All =
    [
        new("bring/yes", [Fact.Thing, Fact.Place, Fact.Day],
            "{A} asks {B} for the {thing} at the {place} on {day}. {B} agrees.",
            [
                StillHave, HaveIt, BringIt,
                [
                    "Of course. I'll come to the {place} with the {noun}.", "Sure, no problem. {Day} is a good day for me.",
                    "Yes, I can do that. I'll pack it on {day} morning.", "Sure. You can count on me.",
                ],
                Replies.Thanks, Replies.Welcome,
            ]),
        new("bring/late", [Fact.Thing, Fact.Place, Fact.Day, Fact.Hour],
            "{A} asks {B} for the {thing} at the {place} on {day}. {B} arrives after {hour}.",
            [
                StillHave, HaveIt, BringIt,
                [
                    "Sure, but don't wait for me. I have a lesson until {hour}.", "Yes, but I can't be there before {hour}.",
                    "I can do that, but I'm at home until {hour}.", "Okay, but my bus is slow. I'll be there after {hour}.",
                ],
                ["That's fine. Thank you!", "No problem, we can wait. Thanks!", "That's okay. Just come when you can."],
 Replies.Welcome,
            ]),
        new("bring/broken", [Fact.HardThing, Fact.Place, Fact.Day, Fact.Kin],
            "{A} asks {B} for the {thing} at the {place} on {day}, but {B}'s {kin} broke it.",
            [
                StillHave, HaveIt, BringIt,
                [
                    "Oh no, I forgot. My {kin} fell over the {noun} yesterday, and now it is broken.", "I'm sorry, but my {kin} had a little accident with the {noun}. It is broken.",
                    "I can't. My {kin} stepped on the {noun} this morning. It is broken.",
                ],
                Replies.Pity, Replies.Sorry,
            ]),
        new("borrow/yes", [Fact.Thing, Fact.Day, Fact.Place],
            "Until {day}, {A} borrows {B}'s {thing} from the {place}.",
            [
                BorrowIt, HowLong, UntilDay,
                [
                    "All right. You can get it from me at the {place}.", "That's fine. I'm at the {place} now, so come and get it.",
                    "Okay. I'll be at the {place} all afternoon. Come and take it.",
                ],
                ["Great. I'll come to the {place} right away.", "Thank you! I'll be careful with the {noun}.", "Wonderful! I can walk to the {place} after lunch."],
                ["Have fun with the {noun}!", "You're welcome. See you there!", "Okay, see you!"],
            ]),
        new("borrow/no", [Fact.Thing, Fact.Day, Fact.Place],
            "{A} wants {B}'s {thing} until {day}, but {B} needs it at the {place}.",
            [
                BorrowIt, HowLong, UntilDay,
                [
                    "I'm sorry, but I have to take it to the {place} before that.", "Sorry, but I need it this week. I have to bring it to the {place}.",
                    "Oh, I can't. I must have it with me at the {place}.",
                ],
                Replies.Pity, Replies.Sorry,
            ]),
        new("sell/yes", [Fact.Thing, Fact.Number, Fact.Day],
            "{B} buys {A}'s {thing} for {number} dollars on {day}.",
            [
                SellIt, HowMuch, ThePrice,
                ["That's a good price. When can I have it?", "Okay, I'll take the {noun}! When can I get it?", "I have that much. When can I come?"],
                ["You can come and get it on {day}.", "Come to my house on {day}.", "I'm at home on {day}. Just come to my door."],
                ["Good. I'll bring the money on {day}.", "Great, see you on {day}!", "Wonderful, I'm so happy!"],
            ]),
        new("sell/no", [Fact.Thing, Fact.Number],
            "{A} offers {B} {a thing} for {number} dollars, but {B} declines.",
            [
                SellIt, HowMuch, ThePrice,
                ["Oh, {number} dollars is too much for me.", "I only have two dollars. I can't buy it.", "So much? I don't have that much money."],
                Replies.Pity,
                ["I hope you can sell it.", "Sorry. Maybe someone else can buy it.", "It's a nice {noun}, but I can't."],
            ]),
        new("lost/seen", [Fact.Thing, Fact.Place, Fact.Day],
            "{A} misses the {thing}. {B} saw it at the {place} on {day}.",
            [
                ["Have you seen my {thing}?", "I can't find my {thing}. Have you seen it?", "My {thing} is gone! Do you know where it is?"],
                ["Your {noun}? Where did you look?", "Oh no! Isn't it at home?", "That's bad. Did you look at home?"],
                ["I looked everywhere at home. Nothing!", "I looked all over the house this morning.", "I don't know. I looked in every room."],
                [
                    "Wait, I think I saw it on {day}. It was at the {place}.", "I remember now! On {day}, there was {a thing} at the {place}.",
                    "You had it with you at the {place} on {day}. Maybe it is still there.",
                ],
                ["Really? I'll run to the {place} right now!", "Of course, the {place}! I'll go there at once.", "Oh, you're right! Then I'll look at the {place}."],
                ["Good luck!", "I hope you find the {noun}!", "Hurry! Someone could take it!"],
            ]),
        new("lost/help", [Fact.Thing, Fact.Place, Fact.Day],
            "{A} lost the {thing} at the {place}. {B} helps search on {day}.",
            [
                ["I lost my {thing}!", "Something bad happened. I lost my {thing}.", "I'm so sad. My {thing} is gone."],
                ["Oh no! Where did you lose it?", "I'm sorry to hear that. Where was it?", "Your {noun}? Where did it happen?"],
                ["At the {place}, I think.", "Somewhere at the {place}. I was there yesterday.", "I had it at the {place}, and then it was gone."],
                [
                    "I can help you look for it on {day}.", "Let's go back to the {place} together. I have time on {day}.",
                    "Four eyes see more than two. Shall we look for it on {day}?",
                ],
                Replies.Thanks, ["Don't worry. We'll find your {noun}.", "I'm sure it's still there.", "You would do the same for me."],
            ]),
        new("found", [Fact.Thing, Fact.Place, Fact.Day],
            "On {day}, {A} returns {B}'s {thing}, found at the {place}.",
            [
                ["Did you lose {a thing}?", "I think I have your {thing}.", "Guess what! I have your {thing} here."],
                ["Yes! I looked for it all week. Where was it?", "My {noun}? Really? Where was it?", "What luck! Where did you see it?"],
                ["Someone forgot it at the {place}, I think.", "It was at the {place}, on the ground.", "I saw it at the {place} and knew it was yours."],
                ["Thank you! When can I have it back?", "I'm so glad! When can you give it to me?", "I was so sad about it! When can I get it?"],
                ["I'll come to your house on {day}.", "I can give it to you on {day}.", "On {day}. I'll bring it to your house."],
                ["{Day} is great. Thank you so much!", "Wonderful. You are a true friend!", "Great, I'll be home on {day}."],
            ]),
        new("repair", [Fact.HardThing, Fact.Place, Fact.Day],
            "{B} will repair {A}'s {thing} at the {place} on {day}.",
            [
                ["I broke my {thing}.", "My {thing} is broken. I'm so sad.", "I have a problem. I broke my {thing}."],
                ["Oh no! What happened?", "How did that happen?", "Oh dear! Did it fall?"],
                ["I fell over it this morning.", "It fell on a big stone.", "My {kin} stepped on it."],
                [
                    "I can fix it. Bring it to the {place} on {day}.", "Don't worry. I have good tools. Meet me at the {place} on {day}.",
                    "My {kin} showed me how to fix things. Let's meet at the {place} on {day}.",
                ],
                ["You can fix it? Thank you! I'll bring it on {day}.", "That would be wonderful. I'll come to the {place}.", "Really? Then I'll bring the {noun}."],
                ["It'll be like new.", "I like to fix things.", "Don't be sad. It'll be fine."],
            ]),
        new("remind", [Fact.Thing, Fact.Place, Fact.Day],
            "{B} promises to return {A}'s {thing} at the {place} on {day}.",
            [
                ["Do you still have my {thing}?", "You have had my {thing} for a long time.", "Can I have my {thing} back?"],
                ["Oh, I forgot all about it! I'm sorry.", "Oh dear, you're right. I still have it.", "I'm sorry! I wanted to give it back last week."],
                ["When can I have it?", "I need the {noun} soon. When can you give it to me?", "That's okay, but when can I get it?"],
                ["I'll give it to you at the {place} on {day}.", "Can you come to the {place} on {day}? I can bring it there.", "Let's meet at the {place} on {day}. I'll have it with me."],
                ["Good. But please don't forget it again!", "All right, on {day} then.", "Okay, I'll wait for you at the {place}."],
                ["I won't forget the {noun} this time.", "I'll write it down now.", "Sorry again!"],
            ]),
        new("sorry", [Fact.Thing, Fact.Place, Fact.Day],
            "By {day}, {A} will replace {B}'s {thing}, lost at the {place}.",
            [
                ["I have to tell you something. It's about your {thing}.", "I feel bad. It's about your {thing}.", "Please don't be angry. I don't have your {thing} anymore."],
                ["My {noun}? What happened?", "What is wrong with my {noun}?", "Tell me. Where is it?"],
                ["I left it at the {place}, and now it's gone.", "I took it to the {place} and forgot it there. Now it's gone.", "Someone took it when I was at the {place}."],
                ["Oh no! I loved that {noun}.", "That makes me sad. It was a good {noun}.", "Oh. It was a present from my {kin}."],
                ["I'm so sorry. I'll buy you a new one before {day}.", "I'm really sorry! You'll have a new one by {day}.", "It was my mistake. You'll get a new one, on {day} at the latest."],
                ["All right. I'm not angry.", "Thank you for telling me.", "It's okay. Don't be sad."],
            ]),
    ];
}
