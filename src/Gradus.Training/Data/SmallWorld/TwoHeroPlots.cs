namespace Gradus.Training.Data.SmallWorld;

/// <summary>Schemata with two named heroes.</summary>
internal static class TwoHeroPlots
{

    public static readonly StoryPlot[] All =
    [
        new("share", ThingTraits.None, Outdoor: false,
            [
                ["{He} often met {his} friend {friend} at the {place}.", "One {day}, {hero} met {friend} at the {place}."],
                [
                    "There they saw {a thing}, and both wanted to {use} it.", "{Hero} had {a thing}, and {friend} wanted to {use} it, too.",
                    "They found {a thing} {spot}. \"It is mine!\" they both cried.",
                ],
                StoryPlot.Maybe("\"I was first!\" said {hero}. \"No, I was first!\" said {friend}.", "They pulled and pushed and shouted.", "{Friend} pulled on one side, and {hero} pulled on the other."),
                StoryPlot.Maybe("Soon they were both angry and did not speak.", "Then {friend} sat down and cried."),
                [
                    "{A helper} saw them and laughed. \"Two can have more fun than one,\" it said.", "Then {hero} felt sorry. \"You can have it first,\" {he} said.",
                    "\"Why don't you take turns?\" said {friend}'s {kin}.",
                ],
                [
                    "So {friend} had the {noun} in the morning, and {hero} had it in the afternoon.", "So they took turns with the {noun}, and both were happy.",
                    "First {friend} {used} the {noun}, and then {hero} {used} it.",
                ],
                ["It was much more fun together.", "When the sun went down, they were best friends again.", "{Hero} and {friend} never fought about the {noun} again."],
            ],
            [
                new(["Who was {hero} with?", "Who was with {hero}?"], "{Hero} was with {friend}."),
                new(["What did they both want?", "What did {hero} and {friend} fight about?"], "They both wanted the {thing}."),
            ]),
        new("race", ThingTraits.None, Outdoor: true,
            [
                ["On {day}, there was a big race at the {place}.", "One {day}, everyone came to the {place} for the big race."],
                ["The prize was {a thing}.", "\"The first one gets {a thing}!\" the people said."],
                StoryPlot.Maybe("{Hero} was small, but {he} had practiced every morning.", "{Hero} was not the fastest, but {he} loved to run.", "{Hero} wanted to win very much."),
                StoryPlot.Maybe("{His} friend {friend} ran next to {him}.", "{Friend} ran in front, and {hero} was close behind."),
                ["But then {friend} fell and hurt {friend.his} leg.", "Suddenly {friend} fell down and could not get up."],
                ["{Hero} forgot about the prize and stopped to help.", "{Hero} stopped at once and ran back. \"Take my hand,\" {he} said."],
                ["They came in last, hand in hand, and everyone clapped.", "Step by step, they walked to the end together."],
                ["\"A good heart is better than fast legs,\" the people said, and they gave the {noun} to {hero}.", "In the end, {hero} got the {thing} for {his} good heart."],
                ["{Friend} was the happiest of all.", "{Hero} and {friend} shared the prize.", "It was the best race of all."],
            ],
            [
                new(["What was the prize?", "What was the prize of the race?"], "The prize was {a thing}."),
                new(["Who fell?", "Who did {hero} help?"], "{Friend} fell, and {hero} helped {friend.him}."),
            ]),
        new("rain", ThingTraits.Shelter, Outdoor: true,
            [
                ["One {day}, {he} went to the {place} with {a thing}.", "On {day}, {he} took {his} {thing} and went to the {place}."],
                ["It was a warm morning, but then dark clouds came.", "At first it was sunny, but then the sky turned gray."],
                ["Soon it began to rain very hard.", "Big drops of rain fell on the ground."],
                ["{Friend} was there, too, cold and wet.", "{Friend} stood under a tree, cold and wet."],
                ["\"Come here,\" said {hero}. \"There is room for two under my {noun}.\"", "{Hero} ran to {friend} and shared the {noun}."],
                StoryPlot.Maybe("They sat under the {noun} and told funny stories.", "Under the {noun}, they ate some {snack} and sang songs."),
                ["When the rain stopped, there was a rainbow over the {place}.", "Then the sun came back, and they jumped in the water on the road."],
                ["\"I like rainy days now,\" said {friend}.", "After that, {hero} and {friend} were best friends.", "They were wet and dirty, but very happy."],
            ],
            [
                new(["Who was cold and wet?", "Who was wet?"], "{Friend} was cold and wet."),
                new(["Who did {hero} help?", "Who did {hero} share with?"], "{Hero} helped {friend}."),
                new(["What did {hero} share?", "What kept them dry?"], "{Hero} shared {a thing}."),
            ]),
        new("learn", ThingTraits.Practice, Outdoor: true,
            [
                ["{His} {kin} gave {him} {a thing}, but {hero} did not know how to {use} it.", "{He} had {a thing}, but {he} could not {use} it yet."],
                ["On {day}, {he} took the {noun} to the {place} and tried.", "One {day}, {he} went to the {place} with the {noun}."],
                ["The first time was bad, and the second time was worse.", "It did not work at all, and {hero} was angry."],
                StoryPlot.Maybe("\"I can't do it,\" {he} said and sat down.", "{He} almost wanted to give up."),
                ["{Friend} sat down next to {him}. \"I can show you,\" {friend.he} said.", "\"Try once more,\" said {friend}, and {friend.he} showed {him} how."],
                StoryPlot.Maybe("They practiced every day after lunch.", "Day after day, they tried again.", "{Friend} was a very good teacher."),
                ["And then, one morning, it worked!", "At last, {hero} {used} the {noun} without any help."],
                ["{Hero} was so proud that {he} told everyone.", "\"You did it!\" said {friend}, and they both laughed.", "After that, nobody could stop {him}."],
            ],
            [
                new(["What did {hero} learn?", "What did {hero} want to learn?"], "{Hero} learned to {use} the {thing}."),
                new(["Who showed {hero} how to do it?", "Who helped {hero}?"], "{Friend} showed {hero} how to do it."),
            ]),
        new("return", ThingTraits.None, Outdoor: false,
            [
                ["One {day}, {he} found {a thing} at the {place}.", "On {day}, {he} went to the {place} and found {a thing}."],
                ["It was {spot}, and nobody was there.", "Someone had left it {spot}."],
                StoryPlot.Maybe("\"It is so pretty,\" {he} thought. \"Can I keep it?\"", "{He} {used} it for a while and was very happy."),
                ["Then {he} saw {friend}, who looked very sad.", "Then {he} heard someone cry. It was {friend}."],
                ["\"I lost my {noun},\" said {friend}.", "\"My {noun} is gone,\" {friend} said. \"It was a gift from my {kin}.\""],
                StoryPlot.Maybe("{Hero} thought about it for a moment."),
                ["In the end, {hero} gave the {noun} back.", "\"Here it is,\" said {hero} and gave it back."],
                StoryPlot.Maybe("{Friend} jumped up and hugged {him}.", "\"Oh, thank you!\" said {friend}. \"You are a true friend.\""),
                ["Giving it back felt better than having it.", "They played together for the rest of the day.", "{Hero} went home with a happy heart."],
            ],
            [
                new(["What did {hero} find?", "What was at the {place}?"], "{Hero} found {a thing}."),
                new(["Whose {noun} was it?", "Who had lost the {noun}?"], "It was the {noun} of {friend}."),
                new(["Where was the {noun}?", "Where did {hero} see the {noun}?"], "The {noun} was {spot}."),
            ]),
    ];
}
