namespace Gradus.Training.Data.SmallWorld;

/// <summary>Plots about meeting: invitations, trips, tickets, delays and changes of plan.</summary>
internal static class MeetingPlots
{
    private static readonly string[] AnyPlans = ["Do you have plans for {day}?", "Are you free on {day}?", "Do you have time on {day}?"];

    private static readonly string[] NoPlans = ["I don't have any plans. Why?", "I think I have time. What is happening?", "I think I'm free on {day}. What's up?"];

    private static readonly string[] ComeToEvent =
    [
        "There is {a event} at the {place}. Would you like to come?", "We have {a event} at the {place}. I'd love to see you there!",
        "Come to our {event} at the {place}! My {kin} is coming, too.",
    ];

    private static readonly string[] WhatTime = ["That sounds great! What time?", "Oh, nice! When should I be there?", "{A event}! When do we start?"];

    private static readonly string[] AtHour = ["Be there at {hour}.", "We begin at {hour}.", "At {hour}, right at the door."];

    private static readonly string[] TwoTickets =
        ["I have two tickets for {a event}!", "Look what I have! Two tickets for {a event}!", "My {kin} gave me two tickets for {a event}."];

    private static readonly string[] WhereIsIt = ["How exciting! Where is it?", "Lucky you! Where and when is it?", "Wow! Tell me more."];

    private static readonly string[] TakeATicket =
        ["It's at the {place} on {day}. Do you want to come?", "At the {place}, on {day}. You could come with me.", "On {day}, at the {place}. One ticket is for you!"];

    public static readonly DialoguePlot[] All =
    [
        new("invite/yes", [Fact.EventAtPlace, Fact.Day, Fact.Hour],
            "{A} invites {B} to {a event} at the {place} on {day} at {hour}. {B} accepts.",
            [
                AnyPlans, NoPlans, ComeToEvent, WhatTime, AtHour,
                ["Good. I'll be there!", "I'd love to come!", "Count me in! I'll come at {hour}."],
                ["Great, see you on {day}!", "I'm so happy!", "Wonderful! See you there!"],
            ]),
        new("invite/snack", [Fact.EventAtPlace, Fact.Day, Fact.Snack],
            "{A} invites {B} to {a event} at the {place} on {day}. {B} brings {goods}.",
            [
                AnyPlans, NoPlans, ComeToEvent,
                ["I'd love to! Can I bring something?", "Yes, I'll come! What should I bring?", "{A event}! Great! Should I bring some food?"],
                ["Some {goods} would be nice.", "Do you have any {goods}? We don't have enough.", "Yes, please! We still need some {goods}."],
                ["All right, I'll bring {goods}.", "No problem. I have a lot of {goods} at home.", "Good, I can buy {goods} on the way."],
                ["Great, see you on {day}!", "I'm so happy!", "Wonderful! See you there!"],
            ]),
        new("invite/no", [Fact.EventAtPlace, Fact.Day, Fact.Reason],
            "{A} invites {B} to {a event} at the {place} on {day}, but {B} has a {reason}.",
            [
                ["We have {a event} on {day}. Please come!", "I'm planning {a event} for {day}. Would you like to come?", "Can you come to our {event} on {day}?"],
                ["{A event}? Where is it?", "Oh, nice! Where?", "That sounds fun. Where is it?"],
                ["It's at the {place}. All my friends are coming.", "At the {place}, with my {kin}.", "At the {place}. It'll be a lot of fun!"],
                ["I'm so sorry, but I can't come. {Reasonline}", "Oh, I would love to, but I can't. {Reasonline}", "I can't, sorry. {Reasonline}"],
                ["What a pity! We'll miss you.", "Oh no! Then next time.", "I understand. I hope to see you next time."],
                ["Have fun without me!", "Yes, next time!", "Thanks anyway. Have a great day!"],
            ]),
        new("visit", [Fact.Trip, Fact.Day, Fact.Hour],
            "{A} and {B} visit the {place} on {day}, meeting at the {place2} at {hour}.",
            [
                ["Shall we go to the {place} on {day}?", "I want to see the {place}. Are you free on {day}?", "How about a trip to the {place} on {day}?"],
                ["What a good idea! I have never been there.", "Yes, I'd love to! I like the {place}.", "Oh yes! My {kin} told me a lot about the {place}."],
                ["Good! Where can we meet?", "Great! Where do you want to meet?", "I'm so glad! Where should we meet first?"],
                ["Let's meet at the {place2}. It is close to my house.", "At the {place2}, I think.", "The {place2} is easy to find. Let's meet there."],
                ["And when? Is {hour} okay?", "Fine. I can be at the {place2} at {hour}.", "Good idea. Shall we say {hour}?"],
                ["Yes, {hour} is great.", "That's a good time for me.", "{Hour} is fine. I'm so happy!"],
                ["See you on {day}!", "I can't wait!", "Bye, see you soon!"],
            ]),
        new("late", [Fact.Cause, Fact.Place, Fact.Hour],
            "The {cause} delays {B}. {A} waits at the {place} until {hour}.",
            [
                ["Where are you? I'm at the {place}.", "I'm already at the {place}, but I can't see you.", "Are you coming? I'm at the {place}."],
                ["I'm so sorry! {Causeline}", "Sorry, I'm still on my way. {Causeline}", "I wanted to call you. {Causeline}"],
                ["Oh no, the {cause} again! When can you be here?", "I see. When can you be at the {place}?", "The {cause}, of course. What time can you be here?"],
                ["I think I can be there at {hour}.", "At {hour}, I hope.", "Not before {hour}. I'm sorry."],
                ["Okay, I'll stay here until you come.", "Don't worry, I can wait.", "All right. I have a book with me."],
                ["Thank you for waiting!", "You are a good friend. Thanks!", "I'll hurry!"],
            ]),
        new("move", [Fact.Event, Fact.Day, Fact.OtherDay, Fact.Weather],
            "Because of {weather}, {A} and {B} move the {event} from {day} to {day2}.",
            [
                ["We have a problem with the {event} on {day}.", "I'm calling about the {event} on {day}.", "Do you remember our {event} on {day}?"],
                ["What is it?", "Yes. Is everything all right?", "I'm listening. What happened?"],
                ["The {weather} is too bad for it.", "I'm worried about the {weather}.", "The {weather} could be a problem."],
                ["What should we do?", "I see. Can we do it on another day?", "Then let's find a new day."],
                ["How about {day2}?", "I think {day2} is better.", "Could you come on {day2}?"],
                ["{Day2} is fine with me.", "Yes, I have time on {day2}.", "Sure, then I'll come on {day2}."],
                ["Great, thank you!", "I'm glad. See you then!", "Wonderful. Bye!"],
            ]),
        new("tickets/yes", [Fact.TicketEventAtPlace, Fact.Day],
            "{A} takes {B} to {a event} at the {place} on {day}.",
            [
                TwoTickets, WhereIsIt, TakeATicket,
                ["For me? Of course I'll come!", "I'd love to! I have time on {day}.", "Yes, yes, yes! Thank you!"],
                ["Great! It'll be a lot of fun.", "Wonderful! I'm so happy.", "Good. I'll come to your house, and we can go together."],
                ["I can't wait!", "You are the best!", "See you on {day}!"],
            ]),
        new("tickets/no", [Fact.TicketEventAtPlace, Fact.Day, Fact.ThirdPerson],
            "{A} offers {B} a {event} ticket for {day} at the {place}. {B} suggests {C}.",
            [
                TwoTickets, WhereIsIt, TakeATicket,
                ["I'd love to, but I'm not here on {day}. Take {C} with you!", "What a pity, I can't. Maybe {C} can go with you.", "I can't on {day}. But {C} would be happy to go."],
                ["Okay, I'll call {C}.", "{C}? Good idea.", "All right, I'll talk to {C}."],
                ["Have fun, you two!", "Tell me all about it!", "I'm sorry I can't come."],
            ]),
        new("home", [Fact.Weather, Fact.Sight, Fact.Activity],
            "Because of {weather}, {A} and {B} {activity} instead of visiting the {place}.",
            [
                ["We can't go to the {place} in this {weather}.", "I don't like this {weather}. What about our trip to the {place}?", "I don't think we can go to the {place}. The {weather} is terrible."],
                ["You're right. What a pity!", "Oh no, I was so happy about it.", "I was thinking the same. I'm sad about it."],
                ["We could {activity} at my house.", "Let's stay at my house and {activity}.", "I have an idea. We can {activity} here."],
                ["I'd love to {activity}!", "That's even better!", "Good idea. I can come now."],
                ["Come as soon as you can!", "Great, I'll get everything ready.", "I'm so glad. I'll be at the door."],
                ["See you in a minute!", "I'll be there soon!", "I'm already on my way."],
            ]),
    ];
}
