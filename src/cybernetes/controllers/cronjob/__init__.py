"""Makes Jobs at the times that a CronJob names.

enters   CronJobs, their Jobs; time
leaves   Jobs created and, beyond the history limits, deleted; status; Events
holds    one Job for each scheduled time, by its name; of several missed times only the latest is made up for;
         a Job that was made but not written into the status, because the controller ended, counts as active
fails    a refused creation is tried again until the starting deadline has passed
start    loop.CronJobController.sync -> plan.review, plan.due
"""
